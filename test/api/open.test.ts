// What a view offers is what would be accepted: retry and convert after failures with and without bytes.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newIds } from '../../src/api/new-ids.js';
import { newUploadJob } from '../../src/api/records.js';
import type { JobDocument } from '../../src/contracts/documents.js';
import { insertJob } from '../../src/store/jobs.js';
import { type Harness, startHarness } from './support/harness.js';
import { get, type Part, post, postForm } from './support/http.js';
import { putRows } from './support/rows.js';

let at: Harness;
beforeAll(async () => {
  at = await startHarness('open');
});
afterAll(async () => await at.close());

const note = { code: 'upload_interrupted', say: 'Cut.', remedy: 'Send again.', blame: 'content' } as const;
const mark = { runId: 'r', revision: 1, failure: note } as const;
const FAILED = { upload_status: 'failed', status: 'failed' } as const;

/** What the views offer in every place that shows it. */
async function offered({ uuid, jobId }: { uuid: string; jobId: string }) {
  const list = await get(`${at.url}/api/v1/datasets?limit=500`);
  const jobs = await get(`${at.url}/api/v1/jobs?dataset=${uuid}`);
  const [dataset, listed] = [
    (await get(`${at.url}/api/v1/datasets/${uuid}`)).body.open,
    list.body.datasets.find((one: { uuid: string }) => one.uuid === uuid).open,
  ];
  const job = (await get(`${at.url}/api/v1/jobs/${jobId}`)).body.open;
  const inList = jobs.body.jobs.find(({ job_id }: { job_id: string }) => job_id === jobId).open;
  expect([listed, inList]).toEqual([dataset, job]);
  return { dataset, job };
}

const command = async (uuid: string, verb: string) => {
  const { status, body } = await post(`${at.url}/api/v1/datasets/${uuid}/${verb}`);
  return [status, body.detail, body.open];
};

test('a dataset to which nothing was delivered offers neither retry nor convert, and says why', async () => {
  const cut = await putRows(at.store, { status: 'failed' }, { ...FAILED, sluice: mark });
  expect(await offered(cut)).toEqual({ dataset: [], job: [] });
  const how = `POST /api/v1/uploads with dataset=${cut.uuid} and replaces=${cut.jobId}`;
  const lost = `cannot retry: the bytes of upload ${cut.jobId} did not arrive; send them again (${how}); now open: nothing`;
  expect(await command(cut.uuid, 'retry')).toEqual([409, lost, []]);
  const byJob = await post(`${at.url}/api/v1/jobs/${cut.jobId}/retry`);
  expect([byJob.status, byJob.body.detail, byJob.body.replaces]).toEqual([409, lost, cut.jobId]);
  const none = 'cannot convert: no file of the dataset was delivered yet; now open: nothing';
  expect(await command(cut.uuid, 'convert')).toEqual([409, none, []]);
});

test('an empty file as a client sends it ends in the same way', async () => {
  const parts: Part[] = [
    ['name', 'Brain'],
    ['sensor', 'TIFF'],
    ['user_email', 'ada@example.org'],
    ['file', '', 'x.tif'],
  ];
  const { body } = await postForm(`${at.url}/api/v1/uploads`, parts);
  const source = { kind: 'received', files: 0, bytes: 0, fault: { code: 'empty_file', say: 'Empty.' } };
  const order = { jobId: body.job_id, source, seal: true, by: 'ada@example.org' };
  // What the workflow would write.
  const failed = { ...FAILED, parameters: { order } };
  await at.store.jobs.updateOne({ job_id: body.job_id }, { $set: failed as Partial<JobDocument> });
  await at.store.datasets.updateOne({ uuid: body.dataset_uuid }, { $set: { status: 'failed' } });
  const rows = { uuid: body.dataset_uuid, jobId: body.job_id };
  expect(await offered(rows)).toEqual({ dataset: [], job: [] });
});

test('one upload that is lost beside one that came: convert is open, retry is not, until it is sent again', async () => {
  const both = await putRows(at.store, { status: 'failed', file_count: 1, total_size_bytes: 9 }, FAILED);
  const { jobId: lost } = newIds();
  const order = (jobId: string, replaces?: string) => ({
    jobId,
    source: { kind: 'received', files: 1, bytes: 9 } as const,
    seal: true,
    by: 'ada@example.org',
    ...(replaces === undefined ? {} : { replaces }),
  });
  const rest = { uuid: both.uuid, owner: 'ada@example.org', source: 'files', bytes: 9, holder: 'gone' };
  await insertJob(at.store, {
    ...newUploadJob({ ...rest, order: order(lost) }),
    ...FAILED,
    receiver: null,
    sluice: mark,
  });
  expect(await offered(both)).toEqual({ dataset: ['convert'], job: [] });
  const [status, words, open] = await command(both.uuid, 'retry');
  expect([status, words, open]).toEqual([
    409,
    expect.stringMatching(new RegExp(`replaces=${lost}\\); now open: convert$`)),
    ['convert'],
  ]);
  const { jobId: again } = newIds();
  const replacing = newUploadJob({ ...rest, order: order(again, lost) });
  await insertJob(at.store, { ...replacing, upload_status: 'completed', receiver: null });
  expect(await offered(both)).toEqual({ dataset: ['retry', 'convert'], job: ['retry'] });
  expect((await command(both.uuid, 'retry'))[0]).toBeLessThan(300);
});

test('what failed with its bytes offers both, and both are accepted', async () => {
  for (const verb of ['retry', 'convert']) {
    const rows = await putRows(at.store, { status: 'conversion error', file_count: 1 }, FAILED);
    expect(await offered(rows)).toEqual({ dataset: ['retry', 'convert'], job: ['retry'] });
    expect((await command(rows.uuid, verb))[0]).toBeLessThan(300);
    const twice = await command(rows.uuid, verb);
    const words = `cannot ${verb}: a run of the dataset is going on; now open: pause, cancel, seal`;
    expect(twice).toEqual([409, words, ['pause', 'cancel', 'seal']]);
  }
});

test('a failed row without any upload offers nothing', async () => {
  const { uuid, jobId } = await putRows(at.store, { status: 'upload error' }, { upload_status: 'cancelled' });
  expect(await offered({ uuid, jobId })).toEqual({ dataset: [], job: [] });
  const words = 'cannot retry: the dataset has no upload that could be repeated; now open: nothing';
  expect(await command(uuid, 'retry')).toEqual([409, words, []]);
});
