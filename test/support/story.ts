// A dataset's story with typed stand-ins for its stages, on a real Temporal server: what the tests of workflows share.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { watchUpload } from '../../src/activities/status/watch-upload.js';
import type { Claim } from '../../src/contracts/claim.js';
import type { DatasetInput, MirrorBatch, UploadOrder } from '../../src/contracts/workflow.js';
import { datasetWorkflowId, QUEUES } from '../../src/domain/ids.js';
import { addUploadSignal } from '../../src/workflows/messages.js';
import { type AllActivities, openTemporal, type TestTemporal } from './temporal.js';

/** The server and namespace of the test file that called `tellStories`. */
export let temporal: TestTemporal;

export function tellStories(title: string): void {
  beforeAll(async () => {
    temporal = await openTemporal(title);
  });
  afterAll(async () => await temporal.close());
}

export const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const claim = (key: string): Claim => ({ store: 'in', key, size: 1, digest: 'ab'.repeat(32) });

/** What stage publish tells of. */
export const product = {
  manifest: claim('m'),
  kind: 'idx',
  entry: 'visus.idx',
  bytes: 1,
  files: 1,
  preview: null,
  checked: 1,
  blocks: 1,
};

/** What a fetch answers that brought one file. */
export const delivered = (jobId: string) => ({
  done: true as const,
  delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 },
});

/** A stage that stands still until the test opens it. */
export function newGate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

export const order = (jobId: string, more: Partial<UploadOrder> = {}): UploadOrder => ({
  jobId,
  source: { kind: 'received', files: 1, bytes: 4 },
  seal: true,
  by: 'ada@example.org',
  ...more,
});

export const inputOf = (uuid: string, more: Partial<DatasetInput> = {}): DatasetInput => ({
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

export interface Stage extends AllActivities {
  readonly batches: MirrorBatch[];
  readonly ran: string[];
}

/** Stages that do nothing but say that they ran; `over` replaces some. */
export function stages(over: Partial<AllActivities> = {}): Stage {
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
    fetchSource: say('fetch', ({ jobId }) => delivered(jobId)),
    extractArchives: say('extract', () => ({ manifest: claim('extracted'), files: 2, bytes: 8 })),
    convertDataset: say('convert', () => ({ product: claim('product') })),
    validateProduct: say('validate', () => ({ report: claim('report') })),
    publishProduct: say('publish', () => ({ product })),
    publishTo: say('publish to', ({ target }) => ({
      url: `s3://${target}/`,
      files: 1,
      bytes: 1,
      sent: 1,
      readBack: 1,
    })),
    verifyProduct: say('verify', () => ({
      outcome: 'whole' as const,
      files: 1,
      bytes: 1,
      damaged: 0,
      damagedFiles: [],
      added: [],
      proof: null,
      say: 'whole',
    })),
    showJob: say('show', () => undefined),
    recallDataset: say('recall', () => ({ status: 'failed' as const, delivered: [] })),
    recallOrders: async ({ jobIds }) => jobIds.map((jobId) => order(jobId, { seal: false })),
    mergeDeliveries: say('merge', ({ deliveries }) => ({
      manifest: claim('merged'),
      files: deliveries.reduce((sum, { files }) => sum + files, 0),
      bytes: deliveries.reduce((sum, { bytes }) => sum + bytes, 0),
      archives: 0,
    })),
    noteDigests: async () => undefined,
    discardUpload: say('discard upload', () => undefined),
    lookAtUpload: say('look', ({ expiresAfterMs }) => ({ state: 'waiting', leftMs: expiresAfterMs })),
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

export const start = (uuid: string, orders: UploadOrder[], input: DatasetInput = inputOf(uuid)) =>
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

export const statuses = (batches: readonly MirrorBatch[], entity: string): string[] =>
  batches.flatMap((batch) => batch.history.filter((row) => row.entity === entity).map((row) => row.to));

export const notFound = async (): Promise<never> => {
  throw ApplicationFailure.create({ type: 'url_not_found', nonRetryable: true });
};

/** A fetch that lasts: the dataset hears of its upload in tasks of their own, and shows it while it runs. */
export const slowFetch: Partial<AllActivities> = {
  fetchSource: async ({ jobId }) => {
    await later(400);
    return delivered(jobId);
  },
};

export const blocking = (onStart: () => void): Partial<AllActivities> => ({
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

/** Event ids of the completed workflow tasks of a run: the points to which Temporal Web can reset it. */
export async function resetPoints(uuid: string, runId: string) {
  const { events } = await temporal.client.workflow.getHandle(datasetWorkflowId(uuid), runId).fetchHistory();
  return (events ?? [])
    .filter((event) => event.workflowTaskCompletedEventAttributes)
    .map(({ eventId }) => eventId ?? null);
}

type EventId = Awaited<ReturnType<typeof resetPoints>>[number];

export async function resetTo(uuid: string, runId: string, workflowTaskFinishEventId: EventId) {
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
export const resetToLastTask = async (uuid: string, runId: string) =>
  await resetTo(uuid, runId, (await resetPoints(uuid, runId)).at(-1) ?? null);
