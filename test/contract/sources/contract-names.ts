// The contract's odd names: each is delivered below the dataset under a safe path, or refused by a code.
import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { safeRelativePath } from '../../../src/bytes/safe-names.js';
import { readManifest } from '../../../src/bytes/store.js';
import { isFailureCode } from '../../../src/domain/failure.js';
import { type Bench, digest, someBytes } from './bench.js';
import type { SourceHarness } from './contract.js';

const ODD: readonly (readonly string[])[] = [
  ['line\nbreak.bin'],
  ['nul\0.bin'],
  ['../up.bin'],
  ['a/../../up.bin'],
  ['a/./b.bin'],
  ['..'],
  ['x'.repeat(300)],
  [`${'d'.repeat(250)}/${'e'.repeat(250)}/${'f'.repeat(250)}/${'g'.repeat(250)}/h.bin`],
  ['🧪 data 🚀.bin'],
  ['Case.bin', 'case.bin'],
  ['caf\u00e9.bin', 'cafe\u0301.bin'],
  ['back\\slash.bin'],
  ['C:drive.bin'],
  [' spaces .bin '],
  ['-rf'],
  ['--delete.bin'],
  ['%2e%2e%2fup.bin'],
  ['.staging/x.bin'],
  ['quote\'"`$(x).bin'],
];

export function oddNames(harness: SourceHarness, open: () => Bench): void {
  const { putOdd } = harness;
  if (putOdd === undefined) return;
  const rows = ODD.map((names): [string, readonly string[]] => [
    names.map((name) => JSON.stringify(name.slice(0, 40))).join(' and '),
    names,
  ]);
  test.each(rows)('a name like %s is safe or refused', async (_words, names) => {
    const bench = open();
    const files = Object.fromEntries(names.map((name, i) => [name, someBytes(100 + i)]));
    const source = await putOdd.call(harness, bench, files);
    // This source cannot hold such a name.
    if (source === undefined) return;
    const ended = await bench.run(source).catch((error: unknown) => error);
    if (typeof ended === 'object' && ended !== null && 'done' in ended) {
      await proveSafe(bench, ended as Awaited<ReturnType<Bench['run']>>, files);
    } else {
      const { type, nonRetryable } = ended as { type: unknown; nonRetryable: unknown };
      expect([type, isFailureCode(type), nonRetryable]).toEqual([type, true, true]);
      expect(type).not.toBe('internal');
    }
    await bench.proveEmptyStaging();
    // Nothing was written beside the dataset.
    const beside = readdirSync(bench.roots.in).filter((name) => !name.startsWith('.') && name !== bench.uuid);
    expect(beside).toEqual([]);
  });
}

async function proveSafe(
  bench: Bench,
  output: Awaited<ReturnType<Bench['run']>>,
  files: Readonly<Record<string, Buffer>>,
): Promise<void> {
  if (!output.done) throw new Error('not done');
  const { files: found } = await readManifest(bench.roots, output.delivery.manifest);
  for (const { path } of found) expect(safeRelativePath(path)).toBe(path);
  expect(found.map(({ sha256 }) => sha256).sort()).toEqual(Object.values(files).map(digest).sort());
  const byDigest = new Map(Object.values(files).map((bytes) => [digest(bytes), bytes]));
  const expected = found.map(({ path, sha256 }) => [path, byDigest.get(sha256) ?? Buffer.alloc(0)]);
  await bench.prove(output, Object.fromEntries(expected) as Record<string, Buffer>);
}
