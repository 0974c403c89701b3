// The contract's sizes: several files with paths, very many small ones, a very large one.
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readManifest } from '../../../src/bytes/store.js';
import { sha256Of } from '../../support/data.js';
import { patternDigest } from '../../support/pattern.js';
import { type Bench, JOB, MIB, someBytes } from './bench.js';
import type { SourceHarness } from './contract.js';

// `npm run soak` takes the sizes that are promised.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const SMALL_FILES = SOAK ? 10_000 : 300;
const LARGE = SOAK ? 2048 * MIB : 64 * MIB;
const TIME = SOAK ? 600_000 : 60_000;

export function manyFiles(harness: SourceHarness, open: () => Bench): void {
  if (harness.several === true) {
    test('several files keep their paths, and progress adds up over all of them', async () => {
      const files = {
        'top.bin': someBytes(2 * MIB),
        'a/one.bin': someBytes(MIB + 1),
        'a/b/c/two.bin': someBytes(17),
        'a/b/c/three.bin': someBytes(9 * MIB),
        'z.bin': someBytes(1),
      };
      const source = await harness.put(open(), files, JOB);
      await open().prove(await open().run(source), files);
      open().proveProgress(sizeOf(files));
    });

    test(
      `${SMALL_FILES} small files`,
      async () => {
        const names = Array.from({ length: SMALL_FILES }, (_, i) => `d${i % 20}/${i}.bin`);
        const files = Object.fromEntries(names.map((name) => [name, someBytes(16 * 1024)]));
        const source = await harness.put(open(), files, JOB);
        await open().prove(await open().run(source), files);
        open().proveProgress(sizeOf(files));
      },
      TIME,
    );
  }

  if (harness.putLarge !== undefined) {
    test(
      `one file of ${LARGE / MIB} MiB`,
      async () => {
        const source = await harness.putLarge?.(open(), LARGE);
        if (source === undefined) throw new Error('no source');
        const output = await open().run(source);
        if (!output.done) throw new Error('not done');
        const { files } = await readManifest(open().roots, output.delivery.manifest);
        const sha256 = patternDigest({ counted: LARGE });
        expect(files).toEqual([{ path: 'large.bin', size: LARGE, sha256 }]);
        expect(await sha256Of(join(open().roots.in, open().uuid, 'large.bin'))).toBe(sha256);
        open().proveProgress(LARGE);
        await open().proveEmptyStaging();
      },
      TIME,
    );
  }
}

const sizeOf = (files: Readonly<Record<string, Buffer>>): number =>
  Object.values(files).reduce((sum, { length }) => sum + length, 0);
