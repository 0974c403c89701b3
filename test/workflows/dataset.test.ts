// The story of a dataset, from its uploads to done or failed.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { datasetWorkflowId, QUEUES, uploadWorkflowId } from '../../src/domain/ids.js';
import { addUploadSignal } from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import {
  claim,
  delivered,
  inputOf,
  later,
  newGate,
  notFound,
  order,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('dataset');

async function eventCount(workflowId: string): Promise<number> {
  const { events } = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
  return events?.length ?? 0;
}

test('a small dataset goes from its upload to done, in at most 75 events', async () => {
  const uuid = randomUUID();
  const acts = stages();
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_1_a')]);
    expect(await handle.result()).toMatchObject({ uuid, status: 'done' });
    await recordHistory(temporal.client, datasetWorkflowId(uuid), 'dataset-done');
    await recordHistory(temporal.client, uploadWorkflowId('upload_1_a'), 'upload-delivered');
    const events = [
      await eventCount(datasetWorkflowId(uuid)),
      await eventCount(uploadWorkflowId('upload_1_a')),
    ];
    expect((events[0] ?? 0) + (events[1] ?? 0)).toBeLessThanOrEqual(75);
  });
  expect(acts.ran).toEqual(['fetch', 'convert', 'validate', 'publish']);
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['conversion queued', 'converting', 'done']);
  expect(statuses(acts.batches, 'upload:upload_1_a')).toEqual(['processing', 'completed']);
});

test('a stage that finds bad content ends the dataset as failed, with the code as the failure type', async () => {
  const uuid = randomUUID();
  const acts = stages({
    convertDataset: async () => {
      throw ApplicationFailure.create({
        type: 'no_tiff',
        message: 'There is no TIFF in a.txt.',
        nonRetryable: true,
      });
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_2_a')]);
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'no_tiff' } });
    await recordHistory(temporal.client, datasetWorkflowId(uuid), 'dataset-failed');
  });
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual([
    'conversion queued',
    'converting',
    'conversion error',
    'failed',
  ]);
  expect(acts.batches.at(-1)?.dataset.failure).toMatchObject({
    code: 'no_tiff',
    say: 'There is no TIFF in a.txt.',
  });
  expect(acts.ran).toContain('discard');
});

test('files that arrive during conversion lead to a second pass', async () => {
  const uuid = randomUUID();
  const gate = newGate();
  const manifests: number[] = [];
  const acts = stages({
    convertDataset: async (input) => {
      manifests.push(input.manifests.length);
      if (manifests.length === 1) await gate.opened;
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_3_a')]);
    while (manifests.length === 0) await new Promise((r) => setTimeout(r, 20));
    await handle.signal(addUploadSignal, order('upload_3_b'));
    await new Promise((r) => setTimeout(r, 300));
    gate.open();
    await handle.result();
    await recordHistory(temporal.client, datasetWorkflowId(uuid), 'dataset-second-pass');
  });
  expect(manifests).toEqual([1, 2]);
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual([
    'conversion queued',
    'converting',
    'done',
    'conversion queued',
    'converting',
    'done',
  ]);
});

test('an upload that fails touches nothing of the conversion that runs beside it', async () => {
  const uuid = randomUUID();
  const gate = newGate();
  let converting = false;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      if (jobId.endsWith('b')) return await notFound();
      return delivered(jobId);
    },
    convertDataset: async () => {
      converting = true;
      await gate.opened;
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_10_a')]);
    while (!converting) await later(20);
    await handle.signal(addUploadSignal, order('upload_10_b'));
    while (!acts.ran.includes('discard upload')) await later(20);
    expect(acts.ran).not.toContain('discard');
    gate.open();
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'url_not_found' } });
  });
});

test('workers that leave in a conversion do not fail it, however often', async () => {
  const uuid = randomUUID();
  let attempts = 0;
  const acts = stages({
    convertDataset: async () => {
      attempts += 1;
      if (attempts < 6) throw ApplicationFailure.create({ type: 'internal', nextRetryDelay: 10 });
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_24_a')]);
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
  expect(attempts).toBe(6);
});

test('a run that nobody gave anything ends quietly and shows nothing', async () => {
  const uuid = randomUUID();
  const acts = stages();
  await temporal.run(acts, async () => {
    const handle = await temporal.client.workflow.start('dataset', {
      workflowId: datasetWorkflowId(uuid),
      taskQueue: QUEUES.control,
      args: [inputOf(uuid)],
    });
    expect(await handle.result()).toMatchObject({ status: 'unchanged' });
  });
  expect(acts.batches).toEqual([]);
});

test('messages that carry nothing do not stop a run', async () => {
  const uuid = randomUUID();
  const acts = stages();
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_15_a', { seal: false })]);
    for (const signal of ['seal', 'resume', 'addUpload', 'uploadPaused']) await handle.signal(signal);
    await handle.signal('pause', null);
    await handle.signal('resume', null);
    await handle.result();
  });
});

test('an upload terminated by hand fails its dataset, and does not leave it waiting', async () => {
  const uuid = randomUUID();
  let fetching = false;
  const acts = stages({
    fetchSource: async () => {
      fetching = true;
      const beat = setInterval(() => heartbeat(), 50);
      await Context.current().cancelled.finally(() => clearInterval(beat));
      throw new Error('not reached');
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_19_a')]);
    while (!fetching) await later(20);
    await temporal.client.workflow.getHandle(uploadWorkflowId('upload_19_a')).terminate();
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'terminated' } });
  });
});

test('of very many uploads a hundred are under way at once, and all arrive', async () => {
  const uuid = randomUUID();
  let under = 0;
  let most = 0;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      under += 1;
      most = Math.max(most, under);
      const beat = setInterval(() => heartbeat(), 500);
      await gate.opened.finally(() => clearInterval(beat));
      under -= 1;
      return delivered(jobId);
    },
  });
  const gate = newGate();
  const orders = Array.from({ length: 110 }, (_, i) => order(`upload_23_${i}`, { seal: i === 109 }));
  const handle = await start(uuid, orders);
  await temporal.run(acts, async () => {
    while (under < 100) await later(100);
    await later(500);
    expect(most).toBe(100);
    gate.open();
    await handle.result();
  });
  expect(acts.batches.at(-1)?.dataset.files).toBe(110);
}, 120_000);
