// One list of files for many deliveries.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mergeDeliveries, mergedUploads } from '../../src/activities/status/merge.js';
import type { Roots } from '../../src/bytes/layout.js';
import { putManifest, readManifest } from '../../src/bytes/store.js';
import type { FileEntry } from '../../src/contracts/claim.js';
import type { Delivery } from '../../src/contracts/workflow.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-333333333333';
let dir: string;
let roots: Roots;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-merge-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const entry = (path: string, size = 1, archive?: 'zip'): FileEntry => ({
  path,
  size,
  sha256: 'ab'.repeat(32),
  ...(archive ? { archive } : {}),
});

async function delivery(name: string, files: readonly FileEntry[]): Promise<Delivery> {
  const manifest = await putManifest(roots, UUID, name, { version: 1, files });
  return { manifest, files: files.length, bytes: files.length, archives: 0 };
}

test('the list holds every file once, sorted, with its sums; merged again it is the same', async () => {
  const parts = [
    await delivery('one', [entry('b', 10), entry('d.zip', 5, 'zip')]),
    await delivery('two', [entry('a', 3), entry('b', 10)]),
  ];
  const merged = await mergeDeliveries(roots, UUID, parts);
  expect(merged).toMatchObject({ files: 3, bytes: 18, archives: 1 });
  const { files } = await readManifest(roots, merged.manifest);
  expect(files.map(({ path, archive }) => [path, archive])).toEqual([
    ['a', undefined],
    ['b', undefined],
    ['d.zip', 'zip'],
  ]);
  expect(await mergeDeliveries(roots, UUID, parts)).toEqual(merged);
  const more = await mergeDeliveries(roots, UUID, [merged, await delivery('three', [entry('c')])]);
  expect(more).toMatchObject({ files: 4, bytes: 19, archives: 1 });
});

test('uploads are named by their status', async () => {
  const one = await delivery('x', [entry('x')]);
  const merged = await mergedUploads(roots, UUID, [
    { jobId: 'upload_1', status: 'completed', delivery: one },
    { jobId: 'upload_2', status: 'processing', delivery: await delivery('y', [entry('y')]) },
    { jobId: 'upload_3', status: 'completed', delivery: one },
  ]);
  expect(merged.jobs).toEqual({ completed: ['upload_1', 'upload_3'], processing: ['upload_2'] });
  expect(merged.delivery.files).toBe(2);
});
