// A dataset of thousands of uploads: what one run hands to the next stays small, and one file's failure is its own.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import type { CarriedState, UploadOrder, UploadState } from '../../src/contracts/workflow.js';
import { type FailureNote, noteFailure } from '../../src/domain/failure.js';
import { datasetWorkflowId } from '../../src/domain/ids.js';
import { addUploadSignal, pauseUpdate, resumeUpdate } from '../../src/workflows/messages.js';
import { DatasetRecord } from '../../src/workflows/record.js';
import {
  claim,
  delivered,
  inputOf,
  later,
  newGate,
  order,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('many');

// `npm run soak`: as many as the promise names.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const FILES = SOAK ? 10_000 : 250;
const OPEN = SOAK ? 10_000 : 400;
const MOST_EVENTS = SOAK ? 5_000 : 1_900;
const COUNT = 3_000;
const KIB = 1024;
const idOf = (n: number): string => `upload_1764077347_${n.toString(16).padStart(8, '0')}`;
const ids = Array.from({ length: COUNT }, (_, n) => idOf(n));

test('3,000 delivered uploads are carried in less than 256 KiB, and come out as they went in', () => {
  const record = new DatasetRecord(inputOf(randomUUID()));
  for (const jobId of ids) {
    const { delivery } = delivered(jobId);
    record.uploads.set(jobId, { jobId, order: order(jobId), status: 'processing', begun: true, delivery });
  }
  expect(size(record.carry())).toBeGreaterThan(1024 * KIB);
  record.merge(ids, { manifest: claim('merged'), files: COUNT, bytes: 4 * COUNT, archives: 1 });
  const open: UploadState = { jobId: 'upload_open', order: order('upload_open'), status: 'uploading' };
  record.uploads.set(open.jobId, open);
  const carried = record.carry();
  expect(size(carried)).toBeLessThan(256 * KIB);

  const next = new DatasetRecord(inputOf(randomUUID(), { carried: JSON.parse(JSON.stringify(carried)) }));
  expect(next.delivered()).toHaveLength(COUNT);
  expect(next.deliveries()).toEqual([record.merged]);
  expect(next.open()).toEqual([open]);
  for (const { jobId } of next.delivered()) next.moveUpload(jobId, 'completed', { actor: 'dataset' });
  const shown = new Set<string>();
  while (next.dirty) {
    const batch = next.take();
    expect(size(batch)).toBeLessThan(1024 * KIB);
    for (const { jobId, status } of batch.uploads) if (status === 'completed') shown.add(jobId);
  }
  expect(shown.size).toBe(COUNT);
});

test('tens of thousands that wait or failed are carried in less than 1.5 MB, and come out in their order', () => {
  const record = new DatasetRecord(inputOf(randomUUID()));
  const failure = (jobId: string): FailureNote => ({
    ...noteFailure('not_found', `There is nothing at https://example.org/${jobId}.`),
  });
  const all = Array.from({ length: 35_000 }, (_, n) => idOf(n));
  all.forEach((jobId, n) => {
    const alone = n % 2 === 0 ? ({ alone: true } as const) : {};
    const base = { jobId, order: order(jobId, { seal: false, ...alone }), ...alone };
    if (n < 100) record.uploads.set(jobId, { ...base, status: 'uploading', begun: true });
    else if (n < 15_000) record.uploads.set(jobId, { ...base, status: 'failed', failure: failure(jobId) });
    else record.uploads.set(jobId, { ...base, status: n === 20_000 ? 'paused' : 'uploading' });
  });
  const carried = record.carry();
  expect(size(carried)).toBeLessThan(1.5e6);
  const next = new DatasetRecord(inputOf(randomUUID(), { carried: JSON.parse(JSON.stringify(carried)) }));
  expect([...next.uploads.keys()].toSorted()).toEqual(all.toSorted());
  const waiting = (from: DatasetRecord): string[] => from.open().map(({ jobId }) => jobId);
  // Those that are alike stand together: the even ones before the odd ones.
  expect(waiting(next).toSorted()).toEqual(waiting(record).toSorted());
  expect(waiting(next).slice(0, 100)).toEqual(all.slice(0, 100));
  for (const jobId of [idOf(0), idOf(20_000), idOf(20_002), idOf(14_998)]) {
    const { order: _order, failure: why, ...facts } = record.uploads.get(jobId) ?? { jobId };
    expect(next.uploads.get(jobId)).toMatchObject({
      ...facts,
      ...(why ? { failure: { code: why.code } } : {}),
    });
  }
  expect(next.failedUpload()?.code).toBe('not_found');
});

const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

test('a run that recalls thousands and takes more hands them over as one list', async () => {
  const uuid = randomUUID();
  const gate = newGate();
  const passes: number[] = [];
  const more = Array.from({ length: 60 }, (_, n) => `upload_more_${n}`);
  const acts = stages({
    recallDataset: async () => ({
      status: 'done',
      delivered: [],
      merged: {
        delivery: { manifest: claim('m'), files: COUNT, bytes: 9, archives: 0 },
        jobs: { completed: ids },
      },
    }),
    fetchSource: async ({ jobId }) => {
      if (jobId === 'upload_last') await gate.opened;
      return delivered(jobId);
    },
    convertDataset: async ({ manifests }) => {
      passes.push(manifests.length);
      return { product: claim('product') };
    },
  });
  await temporal.run(acts, async () => {
    const input = inputOf(uuid, { fresh: false, status: 'done', quietMs: 60_000 });
    const orders = [...more, 'upload_last'].map((jobId) => order(jobId, { seal: false }));
    const { signaledRunId } = await start(uuid, orders, input);
    const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
    while ((await handle.describe()).runId === signaledRunId) {
      await handle.signal(addUploadSignal, order('upload_last', { seal: false })).catch(() => undefined);
      // A flood without a pause would let no task of the workflow come to its end.
      await later(5);
    }
    const carried = await carriedInto(uuid);
    expect(size(carried)).toBeLessThan(256 * KIB);
    expect(carried.merged?.delivery.files).toBeGreaterThanOrEqual(COUNT + 51);
    gate.open();
    await handle.signal(addUploadSignal, order('upload_sealing'));
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
  // The merged list, and the few that came after it.
  expect(passes).toHaveLength(1);
  expect(passes[0]).toBeLessThan(15);
  expect(completed(acts).size).toBe(more.length + 2);
}, 120_000);

/** Uploads that were shown as completed. */
const completed = ({ batches }: Pick<ReturnType<typeof stages>, 'batches'>): ReadonlySet<string> =>
  new Set(
    batches.flatMap(({ uploads }) =>
      uploads.filter(({ status }) => status === 'completed').map(({ jobId }) => jobId),
    ),
  );

test(
  `${FILES} files for one dataset, and no run has a history of more than ${MOST_EVENTS} events`,
  async () => {
    const uuid = randomUUID();
    let fetched = 0;
    const acts = stages({
      fetchSource: async ({ jobId }) => {
        fetched += 1;
        return delivered(jobId);
      },
    });
    await temporal.run(acts, async () => {
      const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
      await start(uuid, [order(idOf(0), { seal: false })], inputOf(uuid, { quietMs: 600_000 }));
      for (let n = 1; n < FILES; n += 1) {
        await handle.signal(addUploadSignal, order(idOf(n), { seal: false }));
        // As many at a time as one owner may have open.
        do await later(5);
        while (n - fetched >= OPEN);
      }
      await handle.signal(addUploadSignal, order('upload_sealing'));
      expect(await handle.result()).toMatchObject({ status: 'done' });
    });
    expect(completed(acts).size).toBe(FILES + 1);
    const lengths: number[] = [];
    const query = `WorkflowId = '${datasetWorkflowId(uuid)}'`;
    for await (const { historyLength } of temporal.client.workflow.list({ query }))
      lengths.push(historyLength ?? 0);
    expect(lengths.length).toBeGreaterThan(1);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MOST_EVENTS);
    if (SOAK) console.log(`${lengths.length} runs, the longest of ${Math.max(...lengths)} events`);
  },
  SOAK ? 1_800_000 : 120_000,
);

/** What the newest run was started with. */
async function carriedInto(uuid: string): Promise<CarriedState> {
  const { events } = await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return (JSON.parse(Buffer.from(payload?.data ?? []).toString()) as { carried: CarriedState }).carried;
}

test('uploads that wait for a place are handed over by their ids, and start when it is their turn', async () => {
  const uuid = randomUUID();
  const gate = newGate();
  const orders = new Map<string, UploadOrder>();
  const fetched: string[] = [];
  const asked: string[][] = [];
  const acts = stages({
    fetchSource: async ({ jobId, order: { source } }) => {
      await gate.opened;
      expect(source).toEqual(orders.get(jobId)?.source);
      fetched.push(jobId);
      return delivered(jobId);
    },
    recallOrders: async ({ jobIds }) => {
      asked.push([...jobIds]);
      return jobIds.flatMap((jobId) => orders.get(jobId) ?? []);
    },
  });
  await temporal.run(acts, async () => {
    const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
    const give = (n: number): UploadOrder => {
      const source = { kind: 'received', files: 1, bytes: n } as const;
      const one = order(idOf(n), { source, seal: false, alone: true });
      orders.set(one.jobId, one);
      return one;
    };
    const { signaledRunId } = await start(uuid, [give(0)], inputOf(uuid, { quietMs: 600_000 }));
    for (let n = 1; n < 500; n += 1) await handle.signal(addUploadSignal, give(n));
    const held = { by: 'ada@example.org', jobId: idOf(450) };
    await handle.executeUpdate(pauseUpdate, { args: [held] });
    for (let n = 500; n < 520 || (await handle.describe()).runId === signaledRunId; n += 1) {
      await handle.signal(addUploadSignal, give(n));
      await later(5);
    }
    expect(size(await carriedInto(uuid))).toBeLessThan(128 * KIB);
    gate.open();
    while (fetched.length < orders.size - 1) await later(50);
    await later(300);
    expect(fetched).not.toContain(held.jobId);
    await handle.executeUpdate(resumeUpdate, { args: [held] });
    const sealing = { ...give(9_999), seal: true };
    orders.set(sealing.jobId, sealing);
    await handle.signal(addUploadSignal, sealing);
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
  expect(fetched.toSorted()).toEqual([...orders.keys()].toSorted());
  expect(asked.length).toBeGreaterThan(2);
  expect(Math.max(...asked.map(({ length }) => length))).toBeLessThanOrEqual(100);
}, 120_000);

const broken = (type: string) =>
  stages({
    fetchSource: async ({ jobId }) => {
      if (jobId.startsWith('upload_bad')) throw ApplicationFailure.create({ type, nonRetryable: true });
      return delivered(jobId);
    },
  });

test('a file that stands alone and fails by its content does not stop the others', async () => {
  const uuid = randomUUID();
  const acts = broken('empty_file');
  await temporal.run(acts, async () => {
    const alone = (jobId: string) => order(jobId, { seal: false, alone: true });
    await start(uuid, ['upload_a', 'upload_bad', 'upload_c'].map(alone));
    const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
  expect(statuses(acts.batches, 'upload:upload_bad')).toEqual(['failed']);
  expect(statuses(acts.batches, 'upload:upload_c')).toEqual(['processing', 'completed']);
});

test.each([
  ['a system broke', ['upload_a', 'upload_bad'], 'disk_full'],
  ['nothing else came', ['upload_bad_1', 'upload_bad_2'], 'empty_file'],
])('but the dataset fails when %s', async (_why, jobIds, code) => {
  const uuid = randomUUID();
  const acts = broken(code);
  await temporal.run(acts, async () => {
    await start(
      uuid,
      jobIds.map((jobId) => order(jobId, { seal: false, alone: true })),
    );
    await expect(temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result()).rejects.toThrow();
  });
  expect(acts.batches.at(-1)?.dataset.failure).toMatchObject({ code });
});
