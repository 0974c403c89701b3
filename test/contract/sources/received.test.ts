// Source `received` by the contract, and what only it can meet.
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { openReceiver } from '../../../src/bytes/receive.js';
import { faultOf } from '../../../src/domain/fault.js';
import type { Source } from '../../../src/domain/source.js';
import { patternBlocks } from '../../support/pattern.js';
import { Bench, failure, JOB, someBytes } from './bench.js';
import { sourceContract } from './contract.js';

const FILL = { idleMs: 60_000, signal: new AbortController().signal };

async function put(bench: Bench, files: Readonly<Record<string, Buffer>>, jobId: string): Promise<Source> {
  const receiver = openReceiver(bench.roots, jobId);
  for (const [name, bytes] of Object.entries(files)) {
    const file = await receiver.file(name);
    await file.fill(Readable.from([bytes]), FILL);
    await file.close();
  }
  return { kind: 'received', ...(await receiver.finish()) };
}

sourceContract('received', {
  transfers: false,
  several: true,
  cannot: {
    given: 'the bytes lie in staging already',
    denied: 'our own staging area may always be read',
    change: 'nobody else writes into our staging area',
    throttle: 'a file system never says "too many"',
    corrupt: 'digests that clients announce are compared where the bytes are received',
  },
  put,
  // The receiver refuses a name before a job is there; what it takes is delivered.
  async putOdd(bench, files) {
    try {
      return await put(bench, files, JOB);
    } catch (error) {
      expect(faultOf(error)?.code).toMatch(/^(unsafe_name|empty_file_name|invalid_field)$/);
      await rm(join(bench.roots.in, '.staging'), { recursive: true, force: true });
      return undefined;
    }
  },
  async putLarge(bench, bytes) {
    const receiver = openReceiver(bench.roots, JOB);
    const file = await receiver.file('large.bin');
    await file.fill(Readable.from(patternBlocks({ counted: bytes })), FILL);
    await file.close();
    return { kind: 'received', ...(await receiver.finish()) };
  },
  nothing: async () => ({ source: { kind: 'received', files: 1, bytes: 5 }, code: 'upload_interrupted' }),
});

test('directories stay, a killed move goes on, and each step may be repeated', async () => {
  const bench = await Bench.open();
  const files = { 'd/e/a': someBytes(10), 'd/b': someBytes(20), c: someBytes(30) };
  const source = await put(bench, files, JOB);
  const seen: Bench[] = [];
  // Reports come from every step between receiving and the last rename.
  const output = await bench.run(source, {
    onProgress: () => {
      const copy = bench.snapshot();
      Object.assign(copy, { dir: copy.dir });
      seen.push(copy);
    },
  });
  await bench.prove(output, files);
  expect(seen.length).toBeGreaterThanOrEqual(1);
  const [killed] = seen;
  await killed?.prove(await killed.run(source), files);
  await killed?.close();
  await bench.close();
});

test('what the API says about a broken upload becomes its failure', async () => {
  const bench = await Bench.open();
  await put(bench, { a: someBytes(10) }, JOB);
  const fault = { code: 'payload_too_large', say: 'Too much.' } as const;
  const run = bench.run({ kind: 'received', files: 0, bytes: 0, fault });
  await expect(run).rejects.toMatchObject({
    type: 'payload_too_large',
    message: 'Too much.',
    nonRetryable: true,
  });
  await bench.proveEmptyStaging();
  await bench.close();
});

test.each([
  ['is gone', (path: string) => rm(path)],
  ['is shorter', (path: string) => truncate(path, 5)],
])('a file that %s is an interrupted upload', async (_what, damage) => {
  const bench = await Bench.open();
  const source = await put(bench, { a: someBytes(10) }, JOB);
  await damage(join(bench.roots.in, '.staging', JOB, 'files/a'));
  await expect(bench.run(source)).rejects.toEqual(failure('upload_interrupted'));
  await bench.proveEmptyStaging();
  await bench.close();
});
