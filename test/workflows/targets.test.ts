// Publish targets in a dataset's story: partial success, and a retry of what is missing only.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { DatasetInput } from '../../src/contracts/workflow.js';
import { datasetWorkflowId, QUEUES } from '../../src/domain/ids.js';
import { cancelUpdate } from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import {
  claim,
  inputOf,
  newGate,
  order,
  product,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('targets');

const publishTo = ['archive', 'mirror'];

test('a target that fails leaves the dataset done, and says so', async () => {
  const uuid = randomUUID();
  const acts = stages({
    publishTo: async ({ target }) => {
      acts.ran.push(`to ${target}`);
      if (target === 'mirror')
        throw ApplicationFailure.create({ type: 'target_refused', message: 'no bucket', nonRetryable: true });
      return { url: 's3://archive/', files: 1, bytes: 1, sent: 1, readBack: 1 };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_31_a')], inputOf(uuid, { publishTo }));
    expect(await handle.result()).toMatchObject({ status: 'done' });
    await recordHistory(
      temporal.client,
      datasetWorkflowId(uuid),
      'dataset-partly-published',
      handle.signaledRunId,
    );
  });
  expect(acts.ran.filter((name) => name.startsWith('to ')).sort()).toEqual(['to archive', 'to mirror']);
  const last = acts.batches.at(-1)?.dataset;
  expect(last).toMatchObject({ status: 'done', failure: null, product: { entry: 'visus.idx' } });
  expect(last?.targets).toMatchObject([
    { target: 'archive', status: 'done', url: 's3://archive/' },
    { target: 'mirror', status: 'failed', url: null, code: 'target_refused', say: 'no bucket' },
  ]);
  const reasons = acts.batches.flatMap(({ history }) => history.map(({ reason }) => reason ?? ''));
  expect(reasons).toContain('published, but not at 1 of 2 targets: mirror (target_refused)');
  expect(statuses(acts.batches, 'upload:upload_31_a').at(-1)).toBe('completed');
});

const retryOf = (uuid: string, status: 'failed' | 'pending'): DatasetInput =>
  inputOf(uuid, {
    fresh: false,
    reason: 'retry',
    status: 'done',
    publishTo,
    sendAgain: {
      product,
      targets: [
        { target: 'archive', status: 'done', at: 1, url: 's3://archive/' },
        { target: 'mirror', status, at: 1, url: null },
      ],
    },
  });

const startRetry = (uuid: string, input: DatasetInput) =>
  temporal.client.workflow.start('dataset', {
    workflowId: datasetWorkflowId(uuid),
    taskQueue: QUEUES.control,
    args: [input],
  });

const recalled = (jobId: string) => async () => ({
  status: 'done' as const,
  published: true,
  delivered: [
    {
      jobId,
      status: 'completed' as const,
      delivery: { manifest: claim('x'), files: 1, bytes: 4, archives: 0 },
    },
  ],
});

test('a retry of a published dataset sends to the missing target only, and makes nothing anew', async () => {
  const uuid = randomUUID();
  const sent: unknown[] = [];
  const acts = stages({
    recallDataset: recalled('upload_32_a'),
    publishTo: async (input) => {
      sent.push(input);
      return { url: 's3://mirror/', files: 1, bytes: 1, sent: 1, readBack: 1 };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await startRetry(uuid, retryOf(uuid, 'failed'));
    expect(await handle.result()).toMatchObject({ status: 'done', product: { entry: 'visus.idx' } });
    await recordHistory(
      temporal.client,
      datasetWorkflowId(uuid),
      'dataset-sent-again',
      handle.firstExecutionRunId,
    );
  });
  expect(sent).toEqual([{ uuid, owner: 'ada@example.org', target: 'mirror', manifest: product.manifest }]);
  expect(acts.ran).toEqual([]);
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['conversion queued', 'converting', 'done']);
  expect(acts.batches.at(-1)?.dataset.targets).toMatchObject([
    { target: 'archive', status: 'done', at: 1 },
    { target: 'mirror', status: 'done', url: 's3://mirror/' },
  ]);
});

test('a target that was removed from a published dataset is forgotten, and nothing is sent', async () => {
  const uuid = randomUUID();
  const acts = stages({ recallDataset: recalled('upload_35_a') });
  const input = retryOf(uuid, 'failed');
  const targets = input.sendAgain?.targets.slice(0, 1) ?? [];
  await temporal.run(acts, async () => {
    const handle = await startRetry(uuid, {
      ...input,
      publishTo: ['archive'],
      sendAgain: { product, targets },
    });
    expect(await handle.result()).toMatchObject({ status: 'done' });
    await recordHistory(
      temporal.client,
      datasetWorkflowId(uuid),
      'dataset-target-removed',
      handle.firstExecutionRunId,
    );
  });
  expect(acts.ran).toEqual([]);
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual([]);
  expect(acts.batches.at(-1)?.dataset.targets).toEqual(targets);
});

test('a cancellation while it is sent leaves the dataset done, with the target as cancelled', async () => {
  const uuid = randomUUID();
  const sending = newGate();
  const acts = stages({
    recallDataset: recalled('upload_33_a'),
    publishTo: async () => {
      sending.open();
      const beat = setInterval(() => heartbeat(), 50);
      await Context.current().cancelled.finally(() => clearInterval(beat));
      throw new Error('not reached');
    },
  });
  await temporal.run(acts, async () => {
    const handle = await startRetry(uuid, retryOf(uuid, 'pending'));
    await sending.opened;
    await handle.executeUpdate(cancelUpdate, { args: [{ by: 'ada@example.org' }] });
    await expect(handle.result()).rejects.toThrow();
  });
  const last = acts.batches.at(-1)?.dataset;
  expect(last).toMatchObject({ status: 'done', failure: null });
  expect(last?.targets).toMatchObject([
    { target: 'archive', status: 'done' },
    { target: 'mirror', status: 'failed', code: 'cancelled' },
  ]);
});

test('files that come while a product is sent again are converted and go to every target', async () => {
  const uuid = randomUUID();
  const sending = newGate();
  const added = newGate();
  const acts = stages({
    recallDataset: recalled('upload_34_a'),
    publishTo: async ({ target }) => {
      acts.ran.push(`to ${target}`);
      sending.open();
      await added.opened;
      return { url: `s3://${target}/`, files: 1, bytes: 1, sent: 1, readBack: 1 };
    },
  });
  await temporal.run(acts, async () => {
    await startRetry(uuid, retryOf(uuid, 'failed'));
    await sending.opened;
    const handle = await start(uuid, [order('upload_34_b')]);
    added.open();
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
  expect(acts.ran).toEqual([
    'to mirror',
    'fetch',
    'convert',
    'validate',
    'publish',
    expect.stringMatching(/^to /),
    expect.stringMatching(/^to /),
  ]);
});
