// A directory that is sent file by file: equal names of two sub-folders both stay, whatever is interrupted.
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createFetchActivities } from '../../src/activities/fetch/index.js';
import { readManifest } from '../../src/bytes/store.js';
import type { FetchOutput } from '../../src/contracts/activities.js';
import { Bench, UUID } from '../contract/sources/bench.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const inRoot = (path: string): string => join(bench.roots.in, path);
let jobs = 0;
function nextJob(): string {
  jobs += 1;
  return `upload_2_${String(jobs).padStart(8, '0')}`;
}

/** Delivers one file that a client sent, and tells its path in the dataset. */
async function deliver(name: string, content: string, folder?: string, jobId = nextJob()): Promise<string> {
  const path = inRoot(`.staging/${jobId}/files/${name}`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  const marker = { files: [{ path: name, size: content.length }] };
  await writeFile(inRoot(`.staging/${jobId}/received.json`), JSON.stringify(marker));
  return await again(jobId, folder);
}

async function again(jobId: string, folder?: string): Promise<string> {
  const { fetchSource } = createFetchActivities(bench.deps);
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const source = { kind: 'received', files: 1, bytes: 1 } as const;
  const order = { jobId, source, seal: false, by: 'a@b.example', ...(folder ? { folder } : {}) };
  const output = (await env.run(fetchSource, { uuid: UUID, jobId, order })) as FetchOutput;
  if (!output.done) throw new Error('not done');
  const { files } = await readManifest(bench.roots, output.delivery.manifest);
  return files[0]?.path ?? '';
}

const content = (path: string): Promise<string> => readFile(inRoot(`${UUID}/${path}`), 'utf8');

test('a name that is free is taken as it is; a second one goes into its folder, equal bytes or not', async () => {
  expect(await deliver('a.tif', 'one', 'left')).toBe('a.tif');
  expect(await deliver('a.tif', 'two', 'right')).toBe('right/a.tif');
  expect(await deliver('a.tif', 'one', 'third')).toBe('third/a.tif');
  expect(await Promise.all(['a.tif', 'right/a.tif', 'third/a.tif'].map(content))).toEqual([
    'one',
    'two',
    'one',
  ]);
});

test('names that differ in case only are two names', async () => {
  expect([await deliver('a.tif', 'one', 'left'), await deliver('A.TIF', 'two', 'left')]).toEqual([
    'a.tif',
    'A.TIF',
  ]);
});

test('a file that is sent again from its folder is kept once, and another one of its name beside it', async () => {
  await deliver('a.tif', 'one', 'left');
  await deliver('a.tif', 'one', 'right');
  expect(await deliver('a.tif', 'one', 'left')).toBe('a.tif');
  expect(await deliver('a.tif', 'one', 'right')).toBe('right/a.tif');
  expect(await deliver('a.tif', 'changed', 'right')).toMatch(/^right\/a-[0-9a-f]{8}\.tif$/);
});

test('killed after the move: the next attempt finds its own file, not the equal one of another folder', async () => {
  await deliver('a.tif', 'one', 'left');
  const jobId = nextJob();
  expect(await deliver('a.tif', 'one', 'right', jobId)).toBe('right/a.tif');
  const files = [{ path: 'a.tif', size: 3, sha256: await sha256('one') }];
  await mkdir(inRoot(`.staging/${jobId}`), { recursive: true });
  await writeFile(inRoot(`.staging/${jobId}/plan.json`), JSON.stringify({ files }));
  await rm(inRoot(`.receipts/${UUID}/fetch-${jobId}.json`));
  await rm(inRoot(`.manifests/${UUID}/${jobId}.json`));
  expect(await again(jobId, 'right')).toBe('right/a.tif');
});

test('killed between link and unlink: its file is taken for its own', async () => {
  const jobId = nextJob();
  await deliver('a.tif', 'one', 'left', jobId);
  await rm(inRoot(`.receipts/${UUID}/fetch-${jobId}.json`));
  await rm(inRoot(`.manifests/${UUID}/${jobId}.json`));
  const files = [{ path: 'a.tif', size: 3, sha256: await sha256('one') }];
  await mkdir(inRoot(`.staging/${jobId}/files`), { recursive: true });
  await link(inRoot(`${UUID}/a.tif`), inRoot(`.staging/${jobId}/files/a.tif`));
  await writeFile(inRoot(`.staging/${jobId}/plan.json`), JSON.stringify({ files }));
  expect(await again(jobId, 'left')).toBe('a.tif');
  expect(existsSync(inRoot(`${UUID}/left`))).toBe(false);
});

async function sha256(text: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(text).digest('hex');
}
