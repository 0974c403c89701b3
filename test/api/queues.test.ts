// Whether work can be done: every task queue needs somebody who asks for its tasks, or is busy with one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Harness, startHarness } from './support/harness.js';
import { eventually, get, type Part, post, postForm } from './support/http.js';
import { putRows } from './support/rows.js';

let at: Harness;
const end = new AbortController();
beforeAll(async () => {
  at = await startHarness('queues');
});
afterAll(async () => {
  end.abort();
  await at.close();
});

/** Asks for a task once, as a worker does all the time. */
function poll(queue: string): void {
  const { workflowService: service, options } = at.client;
  const request = { namespace: options.namespace, taskQueue: { name: queue }, identity: `test-${queue}` };
  const ask = async (): Promise<void> => {
    await (queue === 'control'
      ? service.pollWorkflowTaskQueue(request)
      : service.pollActivityTaskQueue(request));
  };
  const limited = () => at.client.withDeadline(Date.now() + 60_000, ask);
  at.client.withAbortSignal(end.signal, limited).catch(() => undefined);
}

const ready = async () => (await get(`${at.url}/readyz`)).body;
const queues = async () => (await ready()).checks.queues;
const send = async () => {
  const parts: Part[] = [
    ['name', 'Brain'],
    ['sensor', 'TIFF'],
    ['user_email', 'ada@example.org'],
    ['file', 'x', 'x.tif'],
  ];
  return (await postForm(`${at.url}/api/v1/uploads`, parts)).body;
};

test('a queue without a worker is named, in health and in notices', async () => {
  expect(await queues()).toEqual({ control: false, transfer: false, compute: false });
  expect((await send()).notice).toBe('no worker is running; it starts when one does');
  poll('control');
  await eventually(queues, ({ control }) => control === true);
  expect((await send()).notice).toBe(
    'no worker serves the queues transfer and compute; what needs it starts when one does',
  );
  poll('transfer');
  await eventually(queues, ({ transfer }) => transfer === true);
  expect(await ready()).toEqual({
    ready: false,
    checks: {
      database: true,
      temporal: true,
      worker: false,
      queues: { control: true, transfer: true, compute: false },
    },
  });
  const words = 'no worker serves the queue compute; what needs it starts when one does';
  expect((await send()).notice).toBe(words);
  const { uuid } = await putRows(at.store, { status: 'done' });
  const convert = await post(`${at.url}/api/v1/datasets/${uuid}/convert`);
  expect([convert.status, convert.body]).toMatchObject([200, { done: true, notice: words }]);
});

test('a worker that is busy and asks for nothing more counts by the work that it does', async () => {
  expect(await queues()).toMatchObject({ compute: false });
  const progress = { stage: 'convert', done: 1, total: 2, unit: 'blocks', runId: 'r', attempt: 1 } as const;
  const { uuid } = await putRows(at.store, { status: 'converting' });
  const moved = (ms: number) =>
    at.store.datasets.updateOne(
      { uuid },
      { $set: { 'sluice.progress': { ...progress, at: new Date(Date.now() - ms) } } },
    );
  await moved(100_000);
  expect(await queues()).toMatchObject({ compute: false });
  await moved(1_000);
  expect(await ready()).toMatchObject({ ready: true, checks: { worker: true, queues: { compute: true } } });
  expect((await send()).notice).toBeUndefined();
});
