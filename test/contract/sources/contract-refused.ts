// The contract's refusals: what cannot be delivered ends with its code, and leaves nothing.
import { expect, test } from '@jest/globals';
import { type Bench, failure, JOB } from './bench.js';
import type { SourceHarness } from './contract.js';

export function refusals(harness: SourceHarness, open: () => Bench): void {
  test('an empty file is refused by name and leaves nothing', async () => {
    const source = await harness.put(open(), { 'a.bin': Buffer.alloc(0) }, JOB);
    await expect(open().run(source)).rejects.toEqual(failure('empty_file'));
    await open().proveEmptyStaging();
  });

  test('a source that has nothing says so', async () => {
    const { source, code } = await harness.nothing(open());
    await expect(open().run(source)).rejects.toEqual(failure(code));
    await open().proveEmptyStaging();
  });

  if (harness.denied !== undefined) {
    test('a source that may not be read says so', async () => {
      const { source, code } = (await harness.denied?.(open())) ?? {};
      if (source === undefined) throw new Error('no source');
      await expect(open().run(source)).rejects.toEqual(failure(code ?? ''));
      await open().proveEmptyStaging();
    });
  }

  if (harness.corrupt !== undefined) {
    test('bytes without the digest that was announced are refused', async () => {
      const source = await harness.corrupt?.(open());
      if (source === undefined) throw new Error('no source');
      await expect(open().run(source)).rejects.toEqual(failure('checksum_mismatch'));
      await open().proveEmptyStaging();
    });
  }
}
