// Publish targets at the API: who may be asked for, what a row shows, and what a retry starts.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DatasetInput } from '../../src/contracts/workflow.js';
import { type TargetRow, targetsState } from '../../src/domain/target.js';
import { product } from '../support/story.js';
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

const MIRROR = {
  kind: 'rsync',
  name: 'mirror',
  via: 'daemon',
  host: 'mirror.example.org',
  port: 873,
  path: 'products',
  password: 'never-shown',
} as const;

let at: Harness;
beforeAll(async () => {
  at = await startHarness('targets', { targets: [TARGET, MIRROR] });
});
afterAll(async () => await at.close());

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
  const { input, end } = await runOf(partial, answer.body.run_id);
  expect(input).toMatchObject({ reason: 'retry', publishTo: ['archive', 'mirror'], uploads: [] });
  expect(input.sendAgain).toEqual({ product, targets: [there, missing] });
  await end();
});

/** What a run was started with. */
async function runOf(uuid: string, runId: string) {
  const handle = at.client.workflow.getHandle(`dataset:${uuid}`, runId);
  const { events } = await handle.fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const input = JSON.parse(Buffer.from(payload?.data ?? []).toString()) as DatasetInput;
  return { input, end: () => handle.terminate('the test has seen it') };
}

const change = async (uuid: string, body: object) =>
  await post(`${at.url}/api/v1/datasets/${uuid}/targets`, body);

test('a target that is added to a published dataset gets its product by a run of its own', async () => {
  const uuid = await putPublished([there]);
  const answer = await change(uuid, { add: ['mirror'], by: 'ops@example.org' });
  expect(answer.status).toBe(202);
  const { input, end } = await runOf(uuid, answer.body.run_id);
  expect(input).toMatchObject({ by: 'ops@example.org', publishTo: ['archive', 'mirror'], uploads: [] });
  expect(input.sendAgain).toMatchObject({
    product,
    targets: [there, { target: 'mirror', status: 'pending', url: null }],
  });
  expect((await get(`${at.url}/api/v1/datasets/${uuid}`)).body.publish_to).toEqual(['archive', 'mirror']);
  // While it goes on nothing else changes.
  const refused = await change(uuid, { remove: 'archive' });
  expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
  expect((await get(`${at.url}/api/v1/datasets/${uuid}`)).body.publish_to).toEqual(['archive', 'mirror']);
  await end();
});

test('a target that is removed is only forgotten, and the answer says that its copy stays', async () => {
  const uuid = await putPublished([there, missing]);
  const answer = await change(uuid, { remove: 'archive,mirror' });
  expect(answer.body.notice).toContain('the copy at archive stays (s3://products/)');
  expect(answer.body.notice).not.toContain('mirror');
  const { input, end } = await runOf(uuid, answer.body.run_id);
  expect(input.sendAgain).toEqual({ product, targets: [] });
  expect(input.publishTo).toBeUndefined();
  await end();
});

test('before there is a product, a change is noted for it', async () => {
  const wish = { name: 'Brain', sensor: 'TIFF', user_email: 'ada@example.org', publish_to: 'archive' };
  const { uuid } = (await post(`${at.url}/api/v1/datasets`, wish)).body;
  const answer = await change(uuid, { add: 'mirror', remove: 'archive' });
  expect([answer.status, answer.body.done, answer.body.run_id]).toEqual([200, true, undefined]);
  expect((await get(`${at.url}/api/v1/datasets/${uuid}`)).body.publish_to).toEqual(['mirror']);
});

test.each([
  ['nothing', {}, 'Name targets'],
  ['a target that the server does not have', { add: 'nowhere' }, 'nowhere'],
  ['both at once', { add: 'archive', remove: 'archive' }, 'either'],
  ['one that it does not have', { remove: 'mirror' }, 'it has archive'],
])('a change of targets that asks for %s is refused', async (_, body, words) => {
  const uuid = await putPublished([there]);
  const refused = await change(uuid, body);
  expect([refused.status, refused.body.code]).toEqual([422, 'invalid_field']);
  expect(refused.body.detail).toContain(words);
});
