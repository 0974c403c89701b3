// The story of a dataset, with typed stand-ins for the stages on a real Temporal server.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { watchUpload } from '../../src/activities/status/watch-upload.js';
import type { Claim } from '../../src/contracts/claim.js';
import type { DatasetInput, MirrorBatch, UploadOrder } from '../../src/contracts/workflow.js';
import { datasetWorkflowId, QUEUES, uploadWorkflowId } from '../../src/domain/ids.js';
import {
  addUploadSignal,
  cancelUpdate,
  pauseUpdate,
  resumeUpdate,
  stateQuery,
} from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import { type AllActivities, openTemporal, type TestTemporal } from '../support/temporal.js';

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await openTemporal('dataset');
});
afterAll(async () => await temporal.close());

const claim = (key: string): Claim => ({ store: 'in', key, size: 1, digest: 'ab'.repeat(32) });
const order = (jobId: string, more: Partial<UploadOrder> = {}): UploadOrder => ({
  jobId,
  source: { kind: 'received', files: 1, bytes: 4 },
  seal: true,
  by: 'ada@example.org',
  ...more,
});
const inputOf = (uuid: string, more: Partial<DatasetInput> = {}): DatasetInput => ({
  uuid,
  name: 'a dataset',
  owner: 'ada@example.org',
  sensor: 'TIFF',
  convert: true,
  parameters: {},
  status: 'uploading',
  fresh: true,
  reason: 'delivery',
  by: 'ada@example.org',
  quietMs: 200,
  ...more,
});

interface Stage extends AllActivities {
  readonly batches: MirrorBatch[];
  readonly ran: string[];
}

/** Stages that do nothing but say that they ran; `over` replaces some. */
function stages(over: Partial<AllActivities> = {}): Stage {
  const batches: MirrorBatch[] = [];
  const ran: string[] = [];
  const say = <I, O>(name: string, answer: (input: I) => O) => {
    return async (input: I): Promise<O> => {
      ran.push(name);
      return answer(input);
    };
  };
  return {
    batches,
    ran,
    fetchSource: say('fetch', ({ jobId }) => ({
      done: true as const,
      delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 },
    })),
    extractArchives: say('extract', () => ({ manifest: claim('extracted'), files: 2, bytes: 8 })),
    convertDataset: say('convert', () => ({ product: claim('product') })),
    validateProduct: say('validate', () => ({ report: claim('report') })),
    publishProduct: say('publish', () => ({
      product: {
        manifest: claim('m'),
        kind: 'idx',
        entry: 'visus.idx',
        bytes: 1,
        files: 1,
        preview: null,
        checked: 1,
        blocks: 1,
      },
    })),
    recallDataset: say('recall', () => ({ status: 'failed' as const, delivered: [] })),
    discardUpload: say('discard upload', () => undefined),
    discardDataset: say('discard', () => undefined),
    watchUpload: ({ jobId }) => watchUpload(temporal.client, jobId),
    requestCancellation: async ({ workflowId, runId }) => {
      await temporal.client.workflow.getHandle(workflowId, runId).cancel();
    },
    mirror: async (batch) => {
      batches.push(batch);
      return { runId: Context.current().info.workflowExecution?.runId ?? '' };
    },
    ...over,
  };
}

const start = (uuid: string, orders: UploadOrder[], input: DatasetInput = inputOf(uuid)) =>
  temporal.client.workflow
    .signalWithStart('dataset', {
      workflowId: datasetWorkflowId(uuid),
      taskQueue: QUEUES.control,
      args: [input],
      signal: addUploadSignal,
      signalArgs: [orders[0] ?? order('none')],
    })
    .then(async (handle) => {
      for (const more of orders.slice(1)) await handle.signal(addUploadSignal, more);
      return handle;
    });

const statuses = (batches: readonly MirrorBatch[], entity: string): string[] =>
  batches.flatMap((batch) => batch.history.filter((row) => row.entity === entity).map((row) => row.to));

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
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const manifests: number[] = [];
  const acts = stages({
    convertDataset: async (input) => {
      manifests.push(input.manifests.length);
      if (manifests.length === 1) await gate;
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_3_a')]);
    while (manifests.length === 0) await new Promise((r) => setTimeout(r, 20));
    await handle.signal(addUploadSignal, order('upload_3_b'));
    await new Promise((r) => setTimeout(r, 300));
    release();
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

test('pause stops a transfer within seconds, resume goes on, and the row tells both', async () => {
  const uuid = randomUUID();
  let runs = 0;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      runs += 1;
      if (runs > 1)
        return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
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

const blocking = (onStart: () => void): Partial<AllActivities> => ({
  convertDataset: async () => {
    onStart();
    const beat = setInterval(() => heartbeat(), 50);
    try {
      await Context.current().cancelled;
    } finally {
      clearInterval(beat);
    }
    throw new Error('not reached');
  },
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

/** Event ids of the completed workflow tasks of a run: the points to which Temporal Web can reset it. */
async function resetPoints(uuid: string, runId: string) {
  const { events } = await temporal.client.workflow.getHandle(datasetWorkflowId(uuid), runId).fetchHistory();
  return (events ?? [])
    .filter((event) => event.workflowTaskCompletedEventAttributes)
    .map(({ eventId }) => eventId ?? null);
}

type EventId = Awaited<ReturnType<typeof resetPoints>>[number];

async function resetTo(uuid: string, runId: string, workflowTaskFinishEventId: EventId) {
  const workflowId = datasetWorkflowId(uuid);
  const reset = await temporal.client.connection.workflowService.resetWorkflowExecution({
    namespace: temporal.namespace,
    workflowExecution: { workflowId, runId },
    reason: 'mended',
    requestId: randomUUID(),
    workflowTaskFinishEventId,
  });
  const newRun = reset.runId ?? '';
  return { runId: newRun, result: () => temporal.client.workflow.getHandle(workflowId, newRun).result() };
}

/** What Temporal Web's batch Reset takes: the last workflow task. */
const resetToLastTask = async (uuid: string, runId: string) =>
  await resetTo(uuid, runId, (await resetPoints(uuid, runId)).at(-1) ?? null);

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
  });
  expect(acts.ran.filter((name) => !name.startsWith('discard'))).toEqual([
    'fetch',
    'convert',
    'convert',
    'validate',
    'publish',
  ]);
});

/** A fetch that lasts: the dataset hears of its upload in tasks of their own, and shows it while it runs. */
const slowFetch: Partial<AllActivities> = {
  fetchSource: async ({ jobId }) => {
    await later(400);
    return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
  },
};

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
      return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
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

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const notFound = async (): Promise<never> => {
  throw ApplicationFailure.create({ type: 'url_not_found', nonRetryable: true });
};

test('an upload that fails touches nothing of the conversion that runs beside it', async () => {
  const uuid = randomUUID();
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let converting = false;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      if (jobId.endsWith('b')) return await notFound();
      return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
    },
    convertDataset: async () => {
      converting = true;
      await gate;
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_10_a')]);
    while (!converting) await later(20);
    await handle.signal(addUploadSignal, order('upload_10_b'));
    while (!acts.ran.includes('discard upload')) await later(20);
    expect(acts.ran).not.toContain('discard');
    release();
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'url_not_found' } });
  });
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
  expect(acts.batches[0]?.uploads[0]).toMatchObject({ status: 'uploading', failure: null });
});

test('Reset behind a failed fetch fetches again, once', async () => {
  const uuid = randomUUID();
  let broken = true;
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      acts.ran.push('fetch');
      if (broken) return await notFound();
      return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
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

test('a run whose history grows long goes on in a new one, with its uploads still under way', async () => {
  const uuid = randomUUID();
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      const beat = setInterval(() => heartbeat(), 500);
      await gate.finally(() => clearInterval(beat));
      return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
    },
  });
  await temporal.run(acts, async () => {
    const handle = await start(uuid, [order('upload_20_a')]);
    const current = async (): Promise<string> =>
      (await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).describe()).runId;
    // Orders that are known already, until the run goes on in a new one.
    while ((await current()) === handle.signaledRunId) {
      await Promise.all(
        Array.from({ length: 5 }, () =>
          handle.signal(addUploadSignal, order('upload_20_a')).catch(() => undefined),
        ),
      );
    }
    release();
    await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result();
    expect(await current()).not.toBe(handle.signaledRunId);
  });
  expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['conversion queued', 'converting', 'done']);
}, 120_000);
