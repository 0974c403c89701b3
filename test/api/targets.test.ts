// Publish targets at the API: who may be asked for, what a row shows, and what a retry starts.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DatasetInput, ProductSummary } from '../../src/contracts/workflow.js';
import { type TargetRow, targetsState } from '../../src/domain/target.js';
import { type Harness, startHarness } from './support/harness.js';
import { get, post } from './support/http.js';
import { putRows } from './support/rows.js';

const TARGET = {
  kind: 's3',
  name: 'archive',
  bucket: 'products',
  prefix: '',
  region: 'us-east-1',
  pathStyle: false,
  keys: { accessKeyId: 'a', secretAccessKey: 'never-shown' },
} as const;

let at: Harness;
beforeAll(async () => {
  at = await startHarness('targets', { targets: [TARGET] });
});
afterAll(async () => await at.close());

const product: ProductSummary = {
  manifest: { store: 'out', key: 'k/manifest.json', size: 1, digest: 'ab'.repeat(32) },
  kind: 'idx',
  entry: 'visus.idx',
  bytes: 1,
  files: 1,
  preview: null,
  checked: 1,
  blocks: 1,
};
const there: TargetRow = { target: 'archive', status: 'done', at: 0, url: 's3://products/' };
const missing: TargetRow = {
  target: 'mirror',
  status: 'failed',
  at: 0,
  url: null,
  code: 'target_unreachable',
  say: 'down',
};

/** What the mirror would leave. */
const putPublished = async (targets: readonly TargetRow[]) => {
  const { uuid } = await putRows(
    at.store,
    { status: 'done', file_count: 1, publish_to: targets.map(({ target }) => target) },
    { upload_status: 'completed', status: 'completed' },
  );
  const state = targetsState(targets);
  const set = { 'sluice.product': product, 'sluice.targets': targets, 'sluice.targetsState': state };
  await at.store.datasets.updateOne({ uuid }, { $set: set });
  return uuid;
};

test('targets that this server has may be asked for, others are refused by name', async () => {
  const wish = { name: 'Brain', sensor: 'TIFF', user_email: 'ada@example.org' };
  const made = await post(`${at.url}/api/v1/datasets`, { ...wish, publish_to: ['archive', 'archive'] });
  expect([made.status, made.body.publish_to, made.body.published]).toEqual([201, ['archive'], []]);
  const refused = await post(`${at.url}/api/v1/datasets`, { ...wish, publish_to: 'archive,nowhere' });
  expect([refused.status, refused.body.code]).toEqual([422, 'invalid_field']);
  expect(refused.body.detail).toMatch(/nowhere.*archive/);
  expect(JSON.stringify([made.body, refused.body])).not.toContain('never-shown');
});

test('a dataset that lacks a target can be found and retried; the retry is for that target', async () => {
  const [partial, whole] = [await putPublished([there, missing]), await putPublished([there])];
  const { body } = await get(`${at.url}/api/v1/datasets?targets=partial`);
  expect(body.datasets.map(({ uuid }: { uuid: string }) => uuid)).toEqual([partial]);
  expect(body.datasets[0]).toMatchObject({
    status: 'done',
    targets: 'partial',
    open: ['retry', 'convert'],
    published: [
      { target: 'archive', status: 'done', url: 's3://products/' },
      { target: 'mirror', status: 'failed', code: 'target_unreachable', say: 'down' },
    ],
  });
  const complete = { targets: 'complete', open: ['convert'] };
  expect((await get(`${at.url}/api/v1/datasets/${whole}`)).body).toMatchObject(complete);
  expect((await post(`${at.url}/api/v1/datasets/${whole}/retry`)).status).toBe(409);

  const answer = await post(`${at.url}/api/v1/datasets/${partial}/retry`);
  expect(answer.status).toBe(202);
  const handle = at.client.workflow.getHandle(`dataset:${partial}`, answer.body.run_id);
  const { events } = await handle.fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const input = JSON.parse(Buffer.from(payload?.data ?? []).toString()) as DatasetInput;
  expect(input).toMatchObject({ reason: 'retry', publishTo: ['archive', 'mirror'], uploads: [] });
  expect(input.sendAgain).toEqual({ product, targets: [there, missing] });
  await handle.terminate('the test has seen it');
});
