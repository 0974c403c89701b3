// What an operator does in Temporal Web, through the same calls that it makes.
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readProduct, tree, volume, writeStack } from '../support/data.js';
import { postJson, type Sent, sendDirectory } from '../support/send.js';
import { kill, Stack, until } from '../support/stack.js';
import { create, NATIVE, send } from '../support/tus.js';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

const data = volume(512, 512, 64, 21);
let made = 0;
const sendBig = (): Promise<Sent> => {
  made += 1;
  return sendDirectory(stack.apiUrl, writeStack(join(stack.home, `big-${made}`), data));
};
const converting = (uuid: string): Promise<void> =>
  until('it converts', async () => (await stack.dataset(uuid)).status === 'converting', 30_000, 20);

test.each(['Request Cancellation', 'the API'])(
  'cancel by %s: row and workflow are cancelled, nothing is left',
  async (way) => {
    const sent = await sendBig();
    await converting(sent.uuid);
    if (way === 'the API') {
      const answer = await postJson(`${stack.apiUrl}/api/v1/datasets/${sent.uuid}/cancel`, {});
      expect(answer.status).toBe(200);
    } else {
      await stack.workflow(sent.uuid).cancel();
    }
    await stack.settled(sent.uuid, 'cancelled');
    await until(
      'the run closed',
      async () => (await stack.workflow(sent.uuid).describe()).status.name === 'CANCELLED',
    );
    expect(tree(join(stack.out, '.staging'))).toEqual([]);
    expect(tree(join(stack.out, sent.uuid))).toEqual([]);
    expect((await stack.job(sent.job)).upload_status).toBe('cancelled');
    const again = await postJson(`${stack.apiUrl}/api/v1/datasets/${sent.uuid}/cancel`, {});
    expect(again).toMatchObject({ status: 409, body: { code: 'conflict' } });
    const compat = await postJson(`${stack.apiUrl}/api/upload/cancel/${sent.job}`, {});
    expect(compat.status).toBe(404);
  },
  60_000,
);

test('after Terminate the row is repaired within 60 s, and a retry publishes', async () => {
  const sent = await sendBig();
  await converting(sent.uuid);
  await stack.workflow(sent.uuid).terminate('by hand');
  const row = await stack.settled(sent.uuid, 'conversion error', 60_000);
  expect(row.sluice.failure?.code).toBe('terminated');
  expect((await stack.job(sent.job)).upload_status).toBe('failed');
  const retried = await postJson(`${stack.apiUrl}/api/v1/datasets/${sent.uuid}/retry`, {});
  expect(retried.status).toBeLessThan(300);
  await until('it runs again', async () => (await stack.dataset(sent.uuid)).status !== 'conversion error');
  await stack.settled(sent.uuid);
  expect(readProduct(join(stack.out, sent.uuid, 'visus.idx')).sha256).toBe(data.sha256);
}, 120_000);

/** Resets to the completed workflow task before the event that scheduled this activity, as Temporal Web does. */
async function resetBefore(uuid: string, activity: string): Promise<string> {
  const handle = stack.workflow(uuid);
  const { events } = await handle.fetchHistory();
  const scheduled = (events ?? []).filter(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
  );
  const finish = scheduled.at(-1)?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId;
  const { runId } = await handle.describe();
  const reset = await stack.client.connection.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: `dataset:${uuid}`, runId },
    reason: 'test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: finish ?? null,
  });
  return reset.runId ?? '';
}

test('Reset to the task before the failed stage publishes without repeating finished stages', async () => {
  // A directory stands where the product is to be published: publishing fails until it is gone.
  const sent = await sendDirectory(
    stack.apiUrl,
    writeStack(join(stack.home, 'blocked'), volume(64, 64, 8, 4)),
  );
  const versions = join(stack.out, '.versions', sent.uuid);
  mkdirSync(join(stack.out, '.versions'), { recursive: true });
  writeFileSync(versions, 'in the way');
  await stack.settled(sent.uuid, 'conversion error', 90_000);
  const before = await stack.dataset(sent.uuid);
  const { rmSync } = await import('node:fs');
  rmSync(versions);
  const runId = await resetBefore(sent.uuid, 'publishProduct');
  await until(
    'the row follows the new run',
    async () => (await stack.dataset(sent.uuid)).sluice.runId === runId,
  );
  await stack.settled(sent.uuid);
  const { events } = await stack.workflow(sent.uuid).fetchHistory();
  const runs = (events ?? []).filter(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'convertDataset',
  );
  expect(runs.length).toBe(1);
  expect(before.sluice.runId).not.toBe(runId);
}, 150_000);

test('Reset of a done dataset to its beginning moves the row forward and finds every receipt', async () => {
  const sent = await sendDirectory(stack.apiUrl, writeStack(join(stack.home, 'again'), volume(64, 64, 8, 6)));
  await stack.settled(sent.uuid);
  const product = (await stack.dataset(sent.uuid)).sluice.product;
  const runId = await resetBefore(sent.uuid, 'convertDataset');
  await stack.client.workflow.getHandle(`dataset:${sent.uuid}`, runId).result();
  const row = await stack.settled(sent.uuid);
  expect(row.sluice).toMatchObject({ runId, product });
}, 60_000);

test('no worker alive: accepted, told so, and it starts when one comes', async () => {
  await kill(stack.worker);
  const sent = await sendDirectory(
    stack.apiUrl,
    writeStack(join(stack.home, 'patient'), volume(16, 16, 4, 8)),
  );
  expect(sent.status).toBe(201);
  await sleep(1_500);
  expect((await stack.dataset(sent.uuid)).status).toBe('uploading');
  await stack.startWorker();
  await stack.settled(sent.uuid);
}, 90_000);

test('the story of a run can be read: summaries, details, search attributes', async () => {
  const sent = await sendDirectory(stack.apiUrl, writeStack(join(stack.home, 'story'), volume(16, 16, 4, 9)));
  await stack.settled(sent.uuid);
  const handle = stack.workflow(sent.uuid);
  const described = await handle.describe();
  expect(await described.staticSummary()).toBe('a test (TIFF)');
  expect(described.searchAttributes).toMatchObject({
    SluiceKind: ['dataset'],
    SluiceStatus: ['done'],
    SluiceSensor: ['TIFF'],
  });
  const { events } = await handle.fetchHistory();
  const summaries = (events ?? []).flatMap((event) => {
    const data = event.userMetadata?.summary?.data;
    return data == null ? [] : [JSON.parse(Buffer.from(data).toString()) as string];
  });
  expect(summaries).toEqual(
    expect.arrayContaining(['Convert as TIFF', 'Compare the product with its source', 'Swap the product in']),
  );
  await until('it can be found', async () => {
    const found = stack.client.workflow.list({
      query: `SluiceDataset = "${sent.uuid}" AND SluiceStatus = "done"`,
    });
    for await (const one of found) if (one.workflowId === `dataset:${sent.uuid}`) return true;
    return false;
  });
}, 60_000);

test('Reset to before an upload was cancelled: it stays cancelled, and the dataset is published without it', async () => {
  const made = await postJson(`${stack.apiUrl}/api/v1/datasets`, NATIVE);
  const fields = { dataset: made.uuid, seal: 'false' };
  const { jobId, url } = await create(stack.apiUrl, 1_000, { ...fields, filename: 'unwanted.bin' });
  expect((await send(url, 0, Buffer.alloc(500))).status).toBe(204);
  const put = await fetch(`${stack.apiUrl}/api/v1/files/kept.bin?${new URLSearchParams(fields)}`, {
    method: 'PUT',
    body: 'kept',
  });
  expect(put.status).toBe(201);
  expect((await postJson(`${stack.apiUrl}/api/v1/jobs/${jobId}/cancel`, {})).status).toBe(200);
  await stack.settled(made.uuid);
  expect(tree(join(stack.out, made.uuid))).toEqual(expect.arrayContaining(['kept.bin']));
  const { events } = await stack.workflow(made.uuid).fetchHistory();
  const begun = (events ?? []).find(
    ({ startChildWorkflowExecutionInitiatedEventAttributes: child }) =>
      child?.workflowId === `upload:${jobId}`,
  )?.startChildWorkflowExecutionInitiatedEventAttributes?.workflowTaskCompletedEventId;
  const { runId } = await stack.workflow(made.uuid).describe();
  const reset = await stack.client.connection.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: `dataset:${made.uuid}`, runId },
    reason: 'test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: begun ?? null,
  });
  await until(
    'the row follows the new run',
    async () => (await stack.dataset(made.uuid)).sluice.runId === reset.runId,
  );
  await stack.settled(made.uuid);
  expect((await stack.job(jobId)).upload_status).toBe('cancelled');
}, 90_000);

test('a dataset to which nothing was delivered is cancelled, and takes nothing afterwards', async () => {
  const made = await postJson(`${stack.apiUrl}/api/v1/datasets`, NATIVE);
  expect((await stack.dataset(made.uuid)).status).toBe('submitted');
  const answer = await postJson(`${stack.apiUrl}/api/v1/datasets/${made.uuid}/cancel`, {});
  expect(answer.status).toBe(200);
  await stack.settled(made.uuid, 'cancelled');
  expect(await stack.history(`dataset:${made.uuid}`)).toEqual(['submitted', 'cancelled']);
  const again = await postJson(`${stack.apiUrl}/api/v1/datasets/${made.uuid}/cancel`, {});
  expect(again).toMatchObject({ status: 409, body: { code: 'conflict' } });
}, 60_000);
