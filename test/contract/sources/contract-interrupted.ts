// The contract's interruptions: pause, shutdown, kill, cancel, a change and too many requests in mid-transfer.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { type Bench, failure, JOB, MIB, someBytes } from './bench.js';
import type { SourceHarness } from './contract.js';

const LARGE = 40 * MIB;
/** What may be fetched again after a kill: twice what a flush covers, and what is in flight. */
const UNCONFIRMED = 17 * MIB + 4 * MIB;
const half = ({ done }: { done: number }): boolean => done >= 24 * MIB;

export function interruptions(harness: SourceHarness, open: () => Bench): void {
  describe('interrupted', () => {
    pauses(harness, open);
    deaths(harness, open);
    cancels(harness, open);
    changes(harness, open);
  });
}

function pauses(harness: SourceHarness, open: () => Bench): void {
  test('pause returns what is confirmed, resume fetches the rest only', async () => {
    const bench = open();
    const files = { 'a.bin': someBytes(LARGE) };
    const source = await harness.put(bench, files, JOB);
    const paused = await bench.run(source, { stop: { kind: 'pause', when: half } });
    if (paused.done) throw new Error('it was not paused');
    expect(paused.confirmed).toBeGreaterThanOrEqual(24 * MIB);
    expect(paused.confirmed).toBeLessThan(LARGE);
    const given = harness.given?.() ?? 0;
    const reports = bench.reports;
    bench.reports = [];
    await bench.prove(await bench.run(source), files);
    bench.proveProgress(LARGE);
    expect(bench.reports[0]?.done).toBeGreaterThanOrEqual(
      Math.min(paused.confirmed, reports.at(-1)?.done ?? 0),
    );
    if (harness.given) expect(harness.given() - given).toBeLessThanOrEqual(LARGE - paused.confirmed + MIB);
  });

  test('a worker that shuts down fails the attempt, and the next one goes on', async () => {
    const bench = open();
    const files = { 'a.bin': someBytes(LARGE) };
    const source = await harness.put(bench, files, JOB);
    const run = bench.run(source, { stop: { kind: 'shutdown', when: half } });
    await expect(run).rejects.toEqual(failure('internal', false));
    bench.reports = [];
    await bench.prove(await bench.run(source), files);
    expect(bench.reports[0]?.done).toBeGreaterThanOrEqual(24 * MIB);
  });
}

function deaths(harness: SourceHarness, open: () => Bench): void {
  test('after a kill at most the unconfirmed bytes are fetched again', async () => {
    const bench = open();
    const files = { 'a.bin': someBytes(LARGE) };
    const source = await harness.put(bench, files, JOB);
    let killed: Bench | undefined;
    const whole = await bench.run(source, {
      onProgress: (progress) => {
        if (half(progress)) killed ??= bench.snapshot();
      },
    });
    await bench.prove(whole, files);
    if (killed === undefined) throw new Error('no moment to kill at');
    const given = harness.given?.() ?? 0;
    await killed.prove(await killed.run(source), files);
    expect(killed.reports[0]?.done).toBeGreaterThanOrEqual(24 * MIB - UNCONFIRMED);
    if (harness.given) expect(harness.given() - given).toBeLessThanOrEqual(16 * MIB + UNCONFIRMED);
    await killed.close();
  });

  if (harness.several !== true) return;
  test('a kill among several files: those that were whole are not fetched again', async () => {
    const bench = open();
    const names = Array.from({ length: 40 }, (_, i) => `d${i % 3}/${i}.bin`);
    const files = Object.fromEntries(names.map((name) => [name, someBytes(MIB)]));
    const source = await harness.put(bench, files, JOB);
    let killed: Bench | undefined;
    const onProgress = (progress: { done: number }): void => {
      if (half(progress)) killed ??= bench.snapshot();
    };
    await bench.prove(await bench.run(source, { onProgress }), files);
    if (killed === undefined) throw new Error('no moment to kill at');
    const given = harness.given?.() ?? 0;
    await killed.prove(await killed.run(source), files);
    if (harness.given) expect(harness.given() - given).toBeLessThanOrEqual(16 * MIB + UNCONFIRMED);
    await killed.close();
  });
}

function cancels(harness: SourceHarness, open: () => Bench): void {
  test('cancel: once the run has ended nobody writes or reads for it, and nothing comes back after the clean-up', async () => {
    const bench = open();
    const source = await harness.put(bench, { 'a.bin': someBytes(LARGE) }, JOB);
    const ended = await bench.run(source, { stop: { kind: 'pause', when: half } });
    expect(ended.done).toBe(false);
    // What the workflow's clean-up does (src/activities/status).
    const staging = join(bench.roots.in, '.staging', JOB);
    await rm(staging, { recursive: true });
    const given = harness.given?.() ?? 0;
    await sleep(500);
    expect(existsSync(staging)).toBe(false);
    if (harness.given) expect(harness.given() - given).toBeLessThanOrEqual(4 * MIB);
    await bench.proveEmptyStaging();
    expect(existsSync(join(bench.roots.in, bench.uuid))).toBe(false);
  });
}

function changes(harness: SourceHarness, open: () => Bench): void {
  const { change, throttle } = harness;
  if (change !== undefined) {
    test('a file that is replaced meanwhile is one version or a failure, never a mixture', async () => {
      const bench = open();
      const [before, after] = [{ 'a.bin': someBytes(LARGE) }, { 'a.bin': someBytes(LARGE - 3 * MIB) }];
      const source = await harness.put(bench, before, JOB);
      let replaced: Promise<void> | undefined;
      const onProgress = ({ done }: { done: number }): void => {
        if (done > 4 * MIB) replaced ??= Promise.resolve(change.replace(bench, after));
      };
      const ended = await bench.run(source, { onProgress }).catch((error: unknown) => error);
      expect(replaced).toBeDefined();
      await replaced;
      if (typeof ended !== 'object' || ended === null || !('done' in ended)) {
        expect(ended).toEqual(failure(change.code));
        return await bench.proveEmptyStaging();
      }
      const output = ended as Awaited<ReturnType<Bench['run']>>;
      const isNew = output.done && output.delivery.bytes === after['a.bin'].length;
      await bench.prove(output, isNew ? after : before);
    });
  }
  if (throttle !== undefined) {
    test('a source that says "too many" and is slow is waited for', async () => {
      const bench = open();
      const files = { 'a.bin': someBytes(10 * MIB) };
      const source = await harness.put(bench, files, JOB);
      await throttle.call(harness, bench);
      await bench.prove(await bench.run(source), files);
      bench.proveProgress(10 * MIB);
    });
  }
}
