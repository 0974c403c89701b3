// The contract's bounds of space: a disk that is too small or fills meanwhile, and an owner who may have no more.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Fault } from '../../../src/domain/fault.js';
import { type Bench, failure, JOB, MIB, someBytes } from './bench.js';
import type { SourceHarness } from './contract.js';

const SIZE = 20 * MIB;
/** What a source may give before it is known how much there is: lists, and the beginning of a file. */
const LITTLE = 4 * MIB;

export function noRoom(harness: SourceHarness, open: () => Bench): void {
  const given = (): number => harness.given?.() ?? 0;

  test('a disk that others fill to 90 % of what is needed: disk_full; with room again the rest is fetched', async () => {
    const bench = open();
    const files = { 'a.bin': someBytes(SIZE) };
    bench.disk.resize(SIZE / MIB / 2);
    const source = await harness.put(bench, files, JOB);
    const begun = given();
    await expect(bench.run(source)).rejects.toEqual(failure('disk_full', false));
    expect(given() - begun).toBeLessThanOrEqual(LITTLE);
    bench.disk.resize(SIZE / MIB + 2);
    const other = join(bench.roots.in, 'other');
    let came: number | undefined;
    const onProgress = ({ done }: { done: number }): void => {
      if (came !== undefined || done < 0.3 * SIZE || done > 0.8 * SIZE) return;
      came = done;
      writeFileSync(other, Buffer.alloc(0.1 * SIZE + 2 * MIB));
    };
    await expect(bench.run(source, { onProgress })).rejects.toEqual(failure('disk_full', false));
    expect(came).toBeDefined();
    rmSync(other);
    bench.disk.resize(3 * (SIZE / MIB));
    const before = given();
    await bench.prove(await bench.run(source), files);
    expect(given() - before).toBeLessThanOrEqual(SIZE - (came ?? 0) + 8 * MIB);
  });

  test('more than its owner may have: refused before it is moved, and nothing is left over', async () => {
    const bench = open();
    const files =
      harness.several === true
        ? { 'a/one.bin': someBytes(12 * MIB), 'two.bin': someBytes(3 * MIB) }
        : { 'a.bin': someBytes(15 * MIB) };
    const source = await harness.put(bench, files, JOB);
    const asked: number[] = [];
    const admit = (refuses: boolean) => async (_pull: unknown, bytes: number) => {
      asked.push(bytes);
      if (refuses) throw new Fault('quota_reached');
    };
    bench.extend({ admit: admit(true) });
    const begun = given();
    await expect(bench.run(source)).rejects.toEqual(failure('quota_reached'));
    expect(asked).toEqual([15 * MIB]);
    expect(given() - begun).toBeLessThanOrEqual(LITTLE);
    await bench.proveEmptyStaging();
    bench.extend({ admit: admit(false) });
    await bench.prove(await bench.run(source), files);
    expect(new Set(asked)).toEqual(new Set([15 * MIB]));
  });
}
