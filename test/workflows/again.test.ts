// A dataset that runs once more: retries, Resets, further deliveries.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { datasetWorkflowId, QUEUES } from '../../src/domain/ids.js';
import { addUploadSignal, cancelUpdate, pauseUpdate } from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import {
  blocking,
  claim,
  delivered,
  inputOf,
  later,
  newGate,
  notFound,
  order,
  resetPoints,
  resetTo,
  resetToLastTask,
  slowFetch,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('again');

test('a retry starts from what is known and does not fetch again', async () => {
  const uuid = randomUUID();
  const delivery = { manifest: claim('x'), files: 1, bytes: 4, archives: 0 };
  const acts = stages({
    recallDataset: async () => ({
      status: 'conversion error',
      delivered: [{ jobId: 'upload_6_a', status: 'failed', delivery }],
    }),
  });
  await temporal.run(acts, async () => {
    const input = inputOf(uuid, { fresh: false, reason: 'retry', uploads: [], status: 'conversion error' });
    const handle = await temporal.client.workflow.start('dataset', {
      workflowId: datasetWorkflowId(uuid),
      taskQueue: QUEUES.control,
      args: [input],
    });
    await handle.result();
  });
  expect(acts.ran).toEqual(['convert', 'validate', 'publish']);
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['conversion queued', 'converting', 'done']);
  expect(statuses(acts.batches, 'upload:upload_6_a')).toEqual(['processing', 'completed']);
});

test('Reset to the last workflow task of a failed run tries the failed stage again, and only that', async () => {
  const uuid = randomUUID();
  let broken = true;
  const acts = stages({
    convertDataset: async () => {
      acts.ran.push('convert');
      if (broken) throw ApplicationFailure.create({ type: 'not_tiff', nonRetryable: true });
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_7_a')]);
    await expect(handle.result()).rejects.toThrow();
    broken = false;
    const reset = await resetToLastTask(uuid, handle.signaledRunId);
    await reset.result();
    await recordHistory(temporal.client, datasetWorkflowId(uuid), 'dataset-reset', reset.runId);
    expect(acts.batches.at(-1)?.uploads).toMatchObject([{ status: 'completed', failure: null }]);
  });
  expect(acts.ran.filter((name) => !name.startsWith('discard'))).toEqual([
    'fetch',
    'convert',
    'convert',
    'validate',
    'publish',
  ]);
});

test('Reset of a done dataset works to each of its workflow tasks', async () => {
  const uuid = randomUUID();
  const acts = stages(slowFetch);
  await temporal.run(acts, async () => {
    const { signaledRunId } = await start(uuid, [order('upload_21_a')]);
    await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result();
    const points = await resetPoints(uuid, signaledRunId);
    expect(points.length).toBeGreaterThan(4);
    for (const point of points) {
      const reset = await resetTo(uuid, signaledRunId, point);
      expect(await reset.result()).toMatchObject({ status: 'done' });
      expect(acts.batches.at(-1)?.dataset.status).toBe('done');
    }
  });
}, 60_000);

test('Reset of a running dataset still hears its upload, from each of its workflow tasks', async () => {
  const uuid = randomUUID();
  let release: () => void = () => undefined;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      const beat = setInterval(() => heartbeat(), 500);
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      await gate.finally(() => clearInterval(beat));
      return delivered(jobId);
    },
  });
  await temporal.run(acts, async () => {
    const { signaledRunId } = await start(uuid, [order('upload_22_a', { seal: false })]);
    const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
    await later(500);
    await handle.executeUpdate(pauseUpdate, { args: [{ by: 'a', jobId: 'none' }] }).catch(() => undefined);
    await handle.signal(addUploadSignal, order('upload_22_a'));
    await later(500);
    let runId = signaledRunId;
    const points = await resetPoints(uuid, runId);
    for (const point of points.reverse()) {
      ({ runId } = await resetTo(uuid, runId, point));
      await later(500);
    }
    release();
    expect(await temporal.client.workflow.getHandle(datasetWorkflowId(uuid), runId).result()).toMatchObject({
      status: 'done',
    });
  });
}, 60_000);

test('a second delivery into a done dataset starts a run that converts both', async () => {
  const uuid = randomUUID();
  const counts: number[] = [];
  const delivery = { manifest: claim('x'), files: 1, bytes: 4, archives: 0 };
  const acts = stages({
    recallDataset: async () => ({
      status: 'done',
      delivered: [{ jobId: 'upload_8_a', status: 'completed', delivery }],
    }),
    convertDataset: async (input) => {
      counts.push(input.manifests.length);
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_8_b')], inputOf(uuid, { fresh: false, status: 'done' }));
    await handle.result();
  });
  expect(counts).toEqual([2]);
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual([
    'uploading',
    'conversion queued',
    'converting',
    'done',
  ]);
});

test('a cancelled second pass leaves the dataset done, and its own upload cancelled', async () => {
  const uuid = randomUUID();
  const delivery = { manifest: claim('x'), files: 1, bytes: 4, archives: 0 };
  const converting = newGate();
  const acts = stages({
    ...blocking(converting.open),
    recallDataset: async () => ({
      status: 'done',
      published: true,
      delivered: [{ jobId: 'upload_23_a', status: 'completed', delivery }],
    }),
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_23_b')], inputOf(uuid, { fresh: false, status: 'done' }));
    await converting.opened;
    await temporal.client.workflow
      .getHandle(datasetWorkflowId(uuid))
      .executeUpdate(cancelUpdate, { args: [{ by: 'ada@example.org' }] });
    await expect(handle.result()).rejects.toThrow();
  });
  expect(statuses(acts.batches, `dataset:${uuid}`).slice(-2)).toEqual(['converting', 'done']);
  expect(acts.batches.at(-1)?.dataset).toMatchObject({ status: 'done', failure: null });
  expect(statuses(acts.batches, 'upload:upload_23_b').at(-1)).toBe('cancelled');
  expect(statuses(acts.batches, 'upload:upload_23_a')).toEqual([]);
});

test('a delivery into a cancelled dataset is sent back', async () => {
  const uuid = randomUUID();
  const acts = stages({ recallDataset: async () => ({ status: 'cancelled', delivered: [] }) });
  await temporal.run(acts, async () => {
    const handle = await start(
      uuid,
      [order('upload_14_a')],
      inputOf(uuid, { fresh: false, status: 'uploading' }),
    );
    expect(await handle.result()).toMatchObject({ status: 'unchanged' });
  });
  expect(acts.ran).toEqual(['discard upload']);
  expect(statuses(acts.batches, 'upload:upload_14_a')).toEqual(['cancelled']);
});

test('a retry without conversion leaves its error state', async () => {
  const uuid = randomUUID();
  const delivery = { manifest: claim('x'), files: 1, bytes: 4, archives: 0 };
  const acts = stages({
    recallDataset: async () => ({
      status: 'conversion error',
      delivered: [{ jobId: 'upload_16_a', status: 'failed', delivery }],
    }),
  });
  await temporal.run(acts, async () => {
    const input = inputOf(uuid, {
      fresh: false,
      convert: false,
      reason: 'retry',
      status: 'conversion error',
    });
    const handle = await temporal.client.workflow.start('dataset', {
      workflowId: datasetWorkflowId(uuid),
      taskQueue: QUEUES.control,
      args: [input],
    });
    await handle.result();
  });
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['upload queued', 'uploading', 'done']);
});

test('a retry of a failed fetch shows in the row of the upload', async () => {
  const uuid = randomUUID();
  const acts = stages({
    ...slowFetch,
    recallDataset: async () => ({ status: 'failed', delivered: [] }),
  });
  await temporal.run(acts, async () => {
    const uploads = [order('upload_17_a')];
    const input = inputOf(uuid, { fresh: false, reason: 'retry', status: 'failed', uploads });
    const handle = await temporal.client.workflow.start('dataset', {
      workflowId: datasetWorkflowId(uuid),
      taskQueue: QUEUES.control,
      args: [input],
    });
    await handle.result();
  });
  expect(statuses(acts.batches, 'upload:upload_17_a')).toEqual([
    'queued',
    'uploading',
    'processing',
    'completed',
  ]);
  const begun = { status: 'uploading', failure: null, again: { times: 1 } };
  expect(acts.batches[0]?.uploads[0]).toMatchObject(begun);
  expect(acts.batches.flatMap(({ uploads }) => uploads.filter(({ again }) => again))).toHaveLength(1);
});

test('Reset behind a failed fetch fetches again, once', async () => {
  const uuid = randomUUID();
  let broken = true;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      acts.ran.push('fetch');
      if (broken) return await notFound();
      return delivered(jobId);
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_18_a')]);
    await expect(handle.result()).rejects.toThrow();
    broken = false;
    const reset = await resetToLastTask(uuid, handle.signaledRunId);
    await reset.result();
  });
  expect(acts.ran.filter((name) => name === 'fetch').length).toBe(2);
});
