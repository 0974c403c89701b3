// Rows under writes that are repeated, late, or meant for somebody else, on a real database.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createProgressSink } from '../../src/activities/support/mongo-progress.js';
import { datasetProgress } from '../../src/api/progress.js';
import { NO_CONTEXT } from '../../src/api/repeat.js';
import { jobView } from '../../src/api/views.js';
import type { MirrorBatch } from '../../src/contracts/workflow.js';
import { findDataset } from '../../src/store/datasets.js';
import { findJob } from '../../src/store/jobs.js';
import { writeMirror } from '../../src/store/mirror.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { writeDatasetProgress } from '../../src/store/progress.js';
import { repairTerminated, suspects } from '../../src/store/repair.js';
import { required } from '../api/support/harness.js';
import { putRows } from '../api/support/rows.js';
import { until } from '../support/stack.js';

let store: Store;
beforeAll(() => {
  store = openStore(required('SLUICE_TEST_MONGO'), `rows_${randomBytes(3).toString('hex')}`);
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.client.close();
});

const fail = (error: unknown): never => {
  throw error;
};
const mark = { runId: 'r', revision: 3, paused: null, failure: null, product: null } as const;
const writer = { runId: 'r', isCurrent: async () => true };
const batchOf = (uuid: string, jobId: string): MirrorBatch => ({
  uuid,
  revision: 4,
  dataset: {
    status: 'converting',
    stage: 'convert',
    paused: null,
    failure: null,
    product: null,
    bytes: 7,
    files: 1,
  },
  uploads: [{ jobId, status: 'processing', failure: null, bytes: 7, files: 1 }],
  history: [],
});

test('a write that died between the dataset and its uploads is completed by its next attempt', async () => {
  const { uuid, jobId } = await putRows(store, { sluice: { ...mark, status: 'uploading', stage: 'fetch' } });
  const batch = batchOf(uuid, jobId);
  expect(await writeMirror(store, { ...batch, uploads: [] }, writer)).toBe(true);
  expect(await writeMirror(store, batch, writer)).toBe(true);
  expect(await findJob(store, jobId)).toMatchObject({ upload_status: 'processing', sluice: { revision: 4 } });
});

test('what a source left out stands in the row of its upload', async () => {
  const { uuid, jobId } = await putRows(store, { sluice: { ...mark, status: 'uploading', stage: 'fetch' } });
  const leftOut = { count: 30, names: ['a link', 'a pipe'] };
  const batch = batchOf(uuid, jobId);
  const uploads = batch.uploads.map((upload) => ({ ...upload, leftOut }));
  expect(await writeMirror(store, { ...batch, uploads }, writer)).toBe(true);
  const row = await findJob(store, jobId);
  expect(row !== null && jobView(row, NO_CONTEXT).left_out).toEqual(leftOut);
});

test('a late write of a terminated run opens neither the repaired row nor its uploads', async () => {
  const { uuid, jobId } = await putRows(store, { sluice: { ...mark, status: 'uploading', stage: 'fetch' } });
  const row = await findDataset(store, uuid);
  expect(row !== null && (await repairTerminated(store, row, 'r'))).toBe(true);
  expect(await writeMirror(store, batchOf(uuid, jobId), writer)).toBe(false);
  expect(await findDataset(store, uuid)).toMatchObject({ status: 'upload error' });
  expect(await findJob(store, jobId)).toMatchObject({ upload_status: 'failed' });
});

test('the repair leaves uploads alone whose bytes still come', async () => {
  const receiver = { id: 'api', until: new Date(Date.now() + 60_000), seal: true };
  const { uuid, jobId } = await putRows(store, {}, { receiver, upload_status: 'uploading' });
  const row = await findDataset(store, uuid);
  expect(row !== null && (await repairTerminated(store, row, 'r'))).toBe(true);
  expect(await findJob(store, jobId)).toMatchObject({ upload_status: 'uploading' });
});

test('suspects come in pages, so that old open rows hide no younger one', async () => {
  await store.datasets.deleteMany({});
  const made = new Set<string>();
  for (let at = 0; at < 5; at++) {
    // Two of each time: the cursor must tell them apart.
    const { uuid } = await putRows(store, { updated_at: new Date(Math.floor(at / 2)) });
    made.add(uuid);
  }
  const seen: string[] = [];
  for (let page = await suspects(store, new Date(9), { limit: 2 }); page.length > 0; ) {
    seen.push(...page.map(({ uuid }) => uuid));
    const after = page.at(-1);
    page = await suspects(store, new Date(9), { limit: 2, ...(after && { after }) });
  }
  expect(seen).toHaveLength(5);
  expect(new Set(seen)).toEqual(made);
});

const progress = { stage: 'convert', done: 5, total: 5, unit: 'files', runId: 'r', attempt: 1 } as const;

test('late progress sets no stage on a settled row', async () => {
  const settled = { ...mark, status: 'done', stage: null } as const;
  const { uuid } = await putRows(store, { status: 'done', sluice: settled });
  await writeDatasetProgress(store, uuid, { ...progress, at: new Date() });
  expect((await findDataset(store, uuid))?.sluice.stage).toBeNull();
  const open = await putRows(store, { status: 'converting' });
  await writeDatasetProgress(store, open.uuid, { ...progress, at: new Date() });
  expect((await findDataset(store, open.uuid))?.sluice.stage).toBe('convert');
});

test('a stage that says many times that it is at its end writes it once', async () => {
  const { uuid } = await putRows(store, { status: 'converting' });
  const updates = jest.spyOn(store.datasets, 'updateOne');
  const sink = createProgressSink(store, fail, 'worker 1');
  sink.report({ ...progress, done: 1, uuid });
  await sleep(100);
  for (let at = 0; at < 50; at++) {
    sink.report({ ...progress, uuid });
    await sleep(5);
  }
  expect(updates.mock.calls).toHaveLength(2);
  expect((await findDataset(store, uuid))?.sluice.progress).toMatchObject({ done: 5 });
  updates.mockRestore();
});

test('an upload that is taken up again counts an attempt and begins anew; what its new attempt measured stays', async () => {
  const before = new Date(Date.now() - 60_000);
  const measured = {
    ...progress,
    stage: 'fetch',
    unit: 'bytes',
    runId: 'an upload',
    mbPerSecond: 90,
  } as const;
  const old = {
    upload_status: 'failed',
    status: 'failed',
    started_at: before,
    worker_id: 'worker 0',
    bytes_uploaded: 50,
    sluice: { ...mark, progress: { ...measured, at: before } },
  } as const;
  const sluice = { ...mark, status: 'uploading', stage: 'fetch' } as const;
  const batch = (uuid: string, jobId: string, at: number): MirrorBatch => {
    const upload = { jobId, status: 'uploading', failure: null, bytes: null, files: null } as const;
    return { ...batchOf(uuid, jobId), uploads: [{ ...upload, again: { times: 1, at } }] };
  };
  const first = await putRows(store, { sluice }, old);
  const at = Date.now();
  // A worker may be faster than the mirror.
  const second = await putRows(store, { sluice }, { ...old, attempts: 7 });
  const sink = createProgressSink(store, fail, 'worker 1');
  sink.report({ ...measured, done: 4, uuid: second.uuid, jobId: second.jobId, runId: 'another' });
  await until('it is shown', async () => (await findJob(store, second.jobId))?.worker_id === 'worker 1');
  for (const { uuid, jobId } of [first, second]) {
    expect(await writeMirror(store, batch(uuid, jobId, at), writer)).toBe(true);
    expect(await writeMirror(store, batch(uuid, jobId, at), writer)).toBe(true);
  }
  const begun = { status: 'running', started_at: new Date(at), completed_at: null };
  expect(await findJob(store, first.jobId)).toMatchObject({
    ...begun,
    ...{ attempts: 2, worker_id: null, bytes_uploaded: 0, sluice: { progress: null } },
  });
  const row = await findJob(store, second.jobId);
  expect(row).toMatchObject({ ...begun, attempts: 8, worker_id: 'worker 1', bytes_uploaded: 4 });
  expect(row?.sluice.progress).toMatchObject({ done: 4, runId: 'another' });
  expect(row && jobView(row, NO_CONTEXT)).toMatchObject({ attempts: 8, max_attempts: 8 });
});

test('what a stage of an earlier run measured is not shown of this one', async () => {
  const shown = { ...mark, status: 'converting', stage: 'convert' } as const;
  const measured = { ...progress, done: 4, at: new Date() };
  const { uuid } = await putRows(store, { status: 'converting', sluice: { ...shown, progress: measured } });
  const percent = async () => {
    const row = await findDataset(store, uuid);
    return row && datasetProgress(row, []).progress_percentage;
  };
  const far = await percent();
  await store.datasets.updateOne({ uuid }, { $set: { 'sluice.runId': 'a retry' } });
  expect(await percent()).toBeLessThan(far ?? 0);
});
