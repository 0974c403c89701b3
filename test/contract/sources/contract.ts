// The contract of every source. A new source runs it with its own harness, and adds what only it can meet.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FetchDeps } from '../../../src/activities/fetch/index.js';
import { digestOf } from '../../../src/bytes/receipts.js';
import type { Source } from '../../../src/domain/source.js';
import { Bench, failure, MIB, someBytes } from './bench.js';

export interface SourceHarness {
  readonly settings?: FetchDeps['transfer'];
  /** Puts the files at the source, for this job. */
  put(bench: Bench, files: Readonly<Record<string, Buffer>>, jobId: string): Promise<Source>;
  /** A source that has nothing. */
  nothing(bench: Bench): Promise<{ source: Source; code: string }>;
  /** Bytes that the source has given since it was put up; undefined when it cannot tell. */
  given?(): number;
  /** False when there is no transfer that could be interrupted. */
  readonly transfers: boolean;
  end?(): Promise<void>;
}

const JOB = 'upload_1_0000000a';
const LARGE = 40 * MIB;
/** What may be fetched again after a kill: twice what a flush covers, and what is in flight. */
const UNCONFIRMED = 17 * MIB + 4 * MIB;

export function sourceContract(name: string, harness: SourceHarness): void {
  describe(`source ${name}`, () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await Bench.open(harness.settings);
    });
    afterEach(async () => {
      await harness.end?.();
      await bench.close();
    });

    test('delivers the bytes, with progress that adds up', async () => {
      const files = { 'a.bin': someBytes(3 * MIB) };
      const source = await harness.put(bench, files, JOB);
      await bench.prove(await bench.run(source), files);
      bench.proveProgress(3 * MIB);
    });

    test('a second run gives the first one’s answer and touches nothing', async () => {
      const files = { 'a.bin': someBytes(100) };
      const source = await harness.put(bench, files, JOB);
      const first = await bench.run(source);
      const given = harness.given?.();
      expect(await bench.run(source)).toEqual(first);
      expect(harness.given?.()).toBe(given);
      await bench.prove(first, files);
    });

    test('an empty file is refused by name and leaves nothing', async () => {
      const source = await harness.put(bench, { 'a.bin': Buffer.alloc(0) }, JOB);
      await expect(bench.run(source)).rejects.toEqual(failure('empty_file'));
      await bench.proveEmptyStaging();
    });

    test('a source that has nothing says so', async () => {
      const { source, code } = await harness.nothing(bench);
      await expect(bench.run(source)).rejects.toEqual(failure(code));
      await bench.proveEmptyStaging();
    });

    test('a different file of the same name stays beside; an equal one is kept once', async () => {
      const [one, two] = [someBytes(1000), someBytes(1000)];
      const first = await bench.run(await harness.put(bench, { 'a.bin': one }, JOB));
      await harness.end?.();
      const again = await bench.run(await harness.put(bench, { 'a.bin': one }, 'upload_2_0000000b'), {
        jobId: 'upload_2_0000000b',
      });
      await bench.prove(again, { 'a.bin': one });
      await harness.end?.();
      const other = await bench.run(await harness.put(bench, { 'a.bin': two }, 'upload_3_0000000c'), {
        jobId: 'upload_3_0000000c',
      });
      if (!other.done) throw new Error('not done');
      await bench.prove(first, { 'a.bin': one });
      const path = `a-${tagOf(other.delivery.manifest.key, 'upload_3_0000000c')}.bin`;
      await bench.prove(other, { [path]: two });
    });

    // Bytes that lie in the staging area already are not transferred, so nothing of it can be interrupted.
    if (!harness.transfers) return;
    describe('interrupted', () => {
      const half = ({ done }: { done: number }): boolean => done >= 24 * MIB;

      test('pause returns what is confirmed, resume fetches the rest only', async () => {
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
        if (harness.given)
          expect(harness.given() - given).toBeLessThanOrEqual(LARGE - paused.confirmed + MIB);
      });

      test('a worker that shuts down fails the attempt, and the next one goes on', async () => {
        const files = { 'a.bin': someBytes(LARGE) };
        const source = await harness.put(bench, files, JOB);
        const run = bench.run(source, { stop: { kind: 'shutdown', when: half } });
        await expect(run).rejects.toEqual(failure('internal', false));
        bench.reports = [];
        await bench.prove(await bench.run(source), files);
        expect(bench.reports[0]?.done).toBeGreaterThanOrEqual(24 * MIB);
      });

      test('after a kill at most the unconfirmed bytes are fetched again', async () => {
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
    });
  });
}

/** The suffix is made from the job; the manifest's name proves which job it was. */
function tagOf(manifestKey: string, jobId: string): string {
  expect(manifestKey).toContain(jobId);
  return digestOf(jobId).slice(0, 8);
}
