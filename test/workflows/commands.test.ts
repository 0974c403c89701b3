// Pause, resume and cancel, at every moment of a dataset's story.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { datasetWorkflowId, uploadWorkflowId } from '../../src/domain/ids.js';
import {
  addUploadSignal,
  cancelUpdate,
  pauseUpdate,
  resumeUpdate,
  stateQuery,
} from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import {
  blocking,
  delivered,
  later,
  order,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('commands');

test('pause stops a transfer within seconds, resume goes on, and the row tells both', async () => {
  const uuid = randomUUID();
  let runs = 0;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      runs += 1;
      if (runs > 1) return delivered(jobId);
      const context = Context.current();
      const beat = setInterval(() => heartbeat(), 50);
      await context.cancelled.catch(() => undefined);
      clearInterval(beat);
      return { done: false, confirmed: 2 };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_4_a')]);
    while (runs === 0) await new Promise((r) => setTimeout(r, 20));
    await handle.executeUpdate(pauseUpdate, { args: [{ by: 'ada@example.org' }] });
    while ((await handle.query(stateQuery)).paused !== 'paused') await new Promise((r) => setTimeout(r, 50));
    await expect(handle.executeUpdate(pauseUpdate, { args: [{ by: 'x' }] })).rejects.toMatchObject({
      cause: { type: 'conflict' },
    });
    await handle.executeUpdate(resumeUpdate, { args: [{ by: 'ada@example.org' }] });
    await handle.result();
    await recordHistory(temporal.client, datasetWorkflowId(uuid), 'dataset-paused');
    await recordHistory(temporal.client, uploadWorkflowId('upload_4_a'), 'upload-paused');
  });
  expect(runs).toBe(2);
  expect(statuses(acts.batches, 'upload:upload_4_a')).toEqual([
    'paused',
    'uploading',
    'processing',
    'completed',
  ]);
});

test.each(['update', 'Temporal Web'])('cancel by %s ends the run as cancelled and cleans up', async (way) => {
  const uuid = randomUUID();
  let running = false;
  const acts = stages(
    blocking(() => {
      running = true;
    }),
  );
  await temporal.run(acts, async () => {
    const jobId = `upload_5_${way === 'update' ? 'a' : 'b'}`;
    const handle = await start(uuid, [order(jobId)]);
    while (!running) await new Promise((r) => setTimeout(r, 20));
    if (way === 'update') await handle.executeUpdate(cancelUpdate, { args: [{ by: 'ada@example.org' }] });
    else await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    await recordHistory(
      temporal.client,
      datasetWorkflowId(uuid),
      `dataset-cancelled-by-${way === 'update' ? 'update' : 'request'}`,
    );
  });
  expect(statuses(acts.batches, `dataset:${uuid}`).at(-1)).toBe('cancelled');
  expect(acts.ran.at(-1)).toBe('discard');
});

test('an upload and a cancel in one task, before any worker ran, end as cancelled', async () => {
  const uuid = randomUUID();
  const acts = stages();
  const handle = await start(uuid, [order('upload_11_a')]);
  await handle.signal('cancel', { by: 'ada@example.org' });
  await temporal.run(acts, async () => {
    await expect(handle.result()).rejects.toThrow();
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });
  expect(statuses(acts.batches, `dataset:${uuid}`).at(-1)).toBe('cancelled');
});

test('cancel reaches an upload that waits for the end of a pause', async () => {
  const uuid = randomUUID();
  let converting = false;
  const acts = stages(
    blocking(() => {
      converting = true;
    }),
  );
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_12_a')]);
    while (!converting) await later(20);
    await handle.executeUpdate(pauseUpdate, { args: [{ by: 'a' }] });
    await handle.signal(addUploadSignal, order('upload_12_b'));
    await handle.executeUpdate(cancelUpdate, { args: [{ by: 'a' }] });
    await expect(handle.result()).rejects.toThrow();
  });
  expect(statuses(acts.batches, 'upload:upload_12_b')).toEqual(['cancelled']);
  expect(acts.ran.filter((name) => name === 'fetch').length).toBe(1);
});

test('a pause in the task of the first upload is heard', async () => {
  const uuid = randomUUID();
  const acts = stages();
  const handle = await start(uuid, [order('upload_13_a')]);
  await handle.signal('pause');
  await temporal.run(acts, async () => {
    await later(1_000);
    expect(acts.ran).toEqual([]);
    await handle.signal('resume');
    await handle.result();
  });
});
