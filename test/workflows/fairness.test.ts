// Who goes first when work waits: owners take turns however much one of them brings, and the urgent goes before.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { heartbeat } from '@temporalio/activity';
import { createEngine } from '../../src/api/engine.js';
import type { UploadOrder } from '../../src/contracts/workflow.js';
import { faultOf } from '../../src/domain/fault.js';
import { datasetWorkflowId, uploadWorkflowId } from '../../src/domain/ids.js';
import type { Priority } from '../../src/domain/priority.js';
import { delivered, inputOf, later, order, stages, tellStories, temporal } from '../support/story.js';

tellStories('fairness');

// `npm run soak`: as many as the promise names.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const MANY = SOAK ? 10_000 : 300;
const FETCH_MS = SOAK ? 20 : 60;
const LIMIT_MS = 5_000;

const A = 'ada@example.org';
// Longer than a key of the server may be.
const B = `${'b'.repeat(60)}@${'example'.repeat(8)}.org`;
let count = 0;

/** As the API gives it: one upload into a dataset of its own, unless one is named. */
async function deliver(owner: string, more: Partial<UploadOrder> = {}, uuid: string = randomUUID()) {
  count += 1;
  const one = order(`upload_40_${owner[0]}${count}`, { by: owner, ...more });
  const engine = createEngine(temporal.client);
  // A flood of thousands may find the server busy: a client tries again then, as it is told.
  for (let tries = 1; ; tries += 1) {
    try {
      await engine.deliver(inputOf(uuid, { owner, by: owner }), one);
      return { uuid, jobId: one.jobId };
    } catch (error) {
      if (faultOf(error)?.code !== 'engine_unavailable' || tries === 10) throw error;
      await later(500);
    }
  }
}

/** The uploads in the order in which they are fetched, one at a time, after all were given. */
async function fetchedInTurn(give: () => Promise<unknown>, most: number): Promise<string[]> {
  const fetched: string[] = [];
  const acts = stages({
    fetchSource: async ({ jobId }) => {
      fetched.push(jobId);
      await later(30);
      return delivered(jobId);
    },
  });
  await give();
  await temporal.run(
    acts,
    async () => {
      while (fetched.length < most) await later(50);
    },
    { transfer: 1 },
  );
  return fetched;
}

test('one file of one owner does not wait behind thirty of another', async () => {
  let late = '';
  const fetched = await fetchedInTurn(async () => {
    for (let i = 0; i < 30; i += 1) await deliver(A);
    late = (await deliver(B)).jobId;
  }, 31);
  expect(fetched.indexOf(late)).toBeGreaterThanOrEqual(0);
  expect(fetched.indexOf(late)).toBeLessThan(6);
}, 60_000);

test('the urgent goes before the patient, also for one owner and in one dataset', async () => {
  const uuid = randomUUID();
  const jobs = new Map<string, Priority>();
  const fetched = await fetchedInTurn(async () => {
    for (const priority of [3, 2, 1] as const) {
      for (let i = 0; i < 8; i += 1) jobs.set((await deliver(A, { priority })).jobId, priority);
    }
    for (const priority of [3, 1] as const)
      jobs.set((await deliver(A, { priority, seal: priority === 1 }, uuid)).jobId, priority);
  }, 26);
  const places = (priority: Priority): number[] =>
    fetched.flatMap((jobId, at) => (jobs.get(jobId) === priority ? [at] : []));
  const middle = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1] ?? -1;
  const [high, normal, low] = [middle(places(1)), middle(places(2)), middle(places(3))];
  expect([high < normal, normal < low]).toEqual([true, true]);
  // The first ones may have begun before the others had come to the queue, and the server promises no strict order.
  expect(Math.max(...places(1))).toBeLessThan(Math.min(...places(3).slice(4)));
}, 60_000);

test('what a run was started with reaches its uploads and its activities', async () => {
  const { uuid, jobId } = await deliver(B, { priority: 3 });
  await temporal.run(stages(), () => temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result());
  const key = expect.stringMatching(/^[0-9a-f]{64}$/);
  for (const id of [datasetWorkflowId(uuid), uploadWorkflowId(jobId)]) {
    const handle = temporal.client.workflow.getHandle(id);
    const { events } = await handle.fetchHistory();
    const started = events?.[0]?.workflowExecutionStartedEventAttributes?.priority;
    expect([id, started]).toEqual([id, expect.objectContaining({ priorityKey: 3, fairnessKey: key })]);
  }
});

test.each(['into one dataset', 'into datasets of their own'])(
  `an owner with one file starts within ${LIMIT_MS} ms behind ${MANY} of another ${'%s'}`,
  async (how) => {
    const uuid = how === 'into one dataset' ? randomUUID() : undefined;
    const started = new Map<string, number>();
    const acts = stages({
      fetchSource: async ({ jobId }) => {
        started.set(jobId, Date.now());
        heartbeat();
        await later(FETCH_MS);
        return delivered(jobId);
      },
    });
    await temporal.run(
      acts,
      async () => {
        const seal = uuid === undefined;
        for (let i = 0; i < MANY; i += 20)
          await Promise.all(Array.from({ length: 20 }, () => deliver(A, { seal }, uuid)));
        const before = started.size;
        const at = Date.now();
        const { jobId } = await deliver(B);
        while (!started.has(jobId)) await later(20);
        const waited = (started.get(jobId) ?? Number.POSITIVE_INFINITY) - at;
        if (SOAK) process.stderr.write(`${how}: ${waited} ms, ${before} of ${MANY} had begun\n`);
        expect(waited).toBeLessThan(LIMIT_MS);
        // There was something to wait behind.
        expect(before).toBeLessThan(MANY * 0.8);
      },
      { transfer: 2 },
    );
  },
  SOAK ? 1_200_000 : 60_000,
);
