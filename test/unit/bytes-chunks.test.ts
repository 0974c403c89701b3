// A file that comes in pieces: any order, at once, again, wrong, and by several processes.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ChunkedFile } from '../../src/bytes/chunked-file.js';
import type { Roots } from '../../src/bytes/layout.js';
import { someBytes } from '../contract/sources/bench.js';

let dir: string;
let roots: Roots;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-chunks-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const JOB = 'upload_1_00000001';
const bytes = someBytes(1_000_000);
const plan = { bytes: bytes.length, chunkBytes: 300_000 };
const piece = (index: number): Buffer => bytes.subarray(index * 300_000, (index + 1) * 300_000);
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const { signal } = new AbortController();
const put = (file: ChunkedFile, index: number, data: Buffer, digest?: string): Promise<string> =>
  file.write(index, Readable.from([data]), { sha256: digest, signal });

test('pieces come in any order, at once, in two processes; each is there when its digest was seen', async () => {
  const [one, two] = await Promise.all([0, 0].map(() => ChunkedFile.open(roots, JOB, 'a/b.bin', plan)));
  if (one === undefined || two === undefined) throw new Error('not opened');
  await Promise.all([put(one, 3, piece(3), sha256(piece(3))), put(two, 1, piece(1))]);
  expect(await one.present()).toEqual([1, 3]);
  expect(await two.digestOf(3)).toBe(sha256(piece(3)));
  await Promise.all([put(one, 0, piece(0)), put(two, 2, piece(2))]);
  expect(await two.present()).toEqual([0, 1, 2, 3]);
  expect(sha256(await readFile(one.path))).toBe(sha256(bytes));
  await Promise.all([one.close(), two.close()]);
});

test('a piece that is short, long or other than announced does not count, and one that counts is not touched again', async () => {
  const file = await ChunkedFile.open(roots, JOB, 'b.bin', plan);
  await expect(put(file, 0, piece(0).subarray(1))).rejects.toMatchObject({ code: 'upload_interrupted' });
  await expect(put(file, 0, bytes)).rejects.toMatchObject({ code: 'payload_too_large' });
  await expect(put(file, 0, piece(1), sha256(piece(0)))).rejects.toMatchObject({ code: 'checksum_mismatch' });
  expect(await file.present()).toEqual([]);
  await put(file, 0, piece(0));
  await expect(put(file, 0, piece(1), sha256(piece(1)))).rejects.toMatchObject({ code: 'checksum_mismatch' });
  expect(await put(file, 0, piece(1))).toBe(sha256(piece(0)));
  expect((await readFile(file.path)).subarray(0, 300_000)).toEqual(piece(0));
  await file.close();
});
