// Server-sent events through our client: what comes, what is filtered, what a resumed stream tells.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient, type SluiceClient } from '../../src/client/client.js';
import type { ServerEvent } from '../../src/client/events.js';
import { type Harness, startHarness } from './support/harness.js';
import { eventually, get } from './support/http.js';
import { putRows } from './support/rows.js';

let at: Harness;
let client: SluiceClient;
beforeAll(async () => {
  at = await startHarness('events');
  client = createClient(at.url);
});
afterAll(async () => {
  await client.close();
  await at.close();
});

/** Collects events until `stop`. */
function listen(filter: { dataset?: string; user_email?: string } = {}) {
  const events: ServerEvent[] = [];
  const end = new AbortController();
  const done = (async () => {
    for await (const event of client.events(filter, end.signal)) events.push(event);
  })();
  const stop = async (): Promise<void> => {
    end.abort();
    await done;
  };
  return { events, stop };
}
const seen = (events: ServerEvent[]) =>
  events.map((event) =>
    'data' in event && event.data && 'kind' in event.data ? `${event.event} ${event.data.kind}` : event.event,
  );

test('state and progress are told apart, and only of what was asked', async () => {
  const mine = await putRows(at.store);
  const other = await putRows(at.store);
  const stream = listen({ dataset: mine.uuid });
  await eventually(
    async () => stream.events.length,
    (count) => count === 1,
  );
  await at.store.jobs.updateOne(
    { job_id: mine.jobId },
    { $set: { bytes_uploaded: 10, updated_at: new Date() } },
  );
  await at.store.jobs.updateOne({ job_id: other.jobId }, { $set: { bytes_uploaded: 10 } });
  await at.store.datasets.updateOne({ uuid: mine.uuid }, { $set: { status: 'unzipping' } });
  await eventually(
    async () => stream.events.length,
    (count) => count === 3,
  );
  expect(seen(stream.events)).toEqual(['ready', 'progress job', 'state dataset']);
  expect(stream.events[2]).toMatchObject({ data: { uuid: mine.uuid, status: 'unzipping' } });
  await stream.stop();
});

test.each(['TIFF', 'OTHER'] as const)(
  'events of a job of sensor %s tell the percentage of GET, and never go back',
  async (sensor) => {
    const { uuid, jobId } = await putRows(at.store, { sensor }, { bytes_uploaded: 0, bytes_total: 100 });
    const stream = listen({ dataset: uuid });
    const jobs = () =>
      stream.events.flatMap((event) =>
        'data' in event && event.data && 'kind' in event.data && event.data.kind === 'job'
          ? [event.data.progress_percentage]
          : [],
      );
    await eventually(
      async () => stream.events.length,
      (count) => count === 1,
    );
    const shown: number[] = [];
    const job = async (set: object) => {
      await at.store.jobs.updateOne({ job_id: jobId }, { $set: { ...set, updated_at: new Date() } });
      shown.push((await get(`${at.url}/api/v1/jobs/${jobId}`)).body.progress_percentage);
      await eventually(
        async () => jobs().length,
        (count) => count === shown.length,
      );
    };
    let revision = 0;
    const stage = async (name: string, set: object = {}) => {
      revision += 1;
      const sluice = { 'sluice.stage': name, 'sluice.runId': 'r', 'sluice.revision': revision };
      await at.store.datasets.updateOne({ uuid }, { $set: { ...sluice, ...set } });
    };
    await job({ bytes_uploaded: 50 });
    await stage('fetch');
    await job({ bytes_uploaded: 100 });
    // The bytes are in; the dataset still waits for other uploads, then goes on.
    await job({ upload_status: 'processing' });
    if (sensor === 'TIFF') await stage('extract', { status: 'unzipping' });
    await job({ file_count: 1 });
    const progress = { stage: 'convert', done: 1, total: 2, unit: 'blocks', runId: 'r', attempt: 1 };
    const measured = { 'sluice.progress': { ...progress, at: new Date() } };
    await stage('convert', { status: 'converting', ...measured });
    await job({ file_count: 2 });
    await stage('publish');
    await job({ file_count: 3 });
    await job({ upload_status: 'completed' });
    await stream.stop();
    expect(jobs()).toEqual(shown);
    expect(jobs()).toEqual([...jobs()].sort((a, b) => a - b));
    expect([jobs()[0], jobs().at(-1)]).toEqual([sensor === 'TIFF' ? 20 : 22.2, 100]);
  },
);

test('a job that is processed before its dataset tells a stage stands where its bytes ended', async () => {
  const { jobId } = await putRows(
    at.store,
    { sensor: 'OTHER' },
    { upload_status: 'processing', bytes_uploaded: 9, bytes_total: 9 },
  );
  expect((await get(`${at.url}/api/v1/jobs/${jobId}`)).body.progress_percentage).toBe(44.4);
});

test('a stream that broke goes on where it was, over a restart of the server', async () => {
  const { uuid, jobId } = await putRows(at.store);
  const port = Number(new URL(at.url).port);
  const stream = listen({ dataset: uuid });
  await eventually(
    async () => stream.events.length,
    (count) => count === 1,
  );
  const restarted = at.restart({ api: { host: '127.0.0.1', port } });
  await at.store.jobs.updateOne({ job_id: jobId }, { $set: { upload_status: 'processing' } });
  await at.store.jobs.updateOne({ job_id: jobId }, { $set: { upload_status: 'completed' } });
  await restarted;
  await eventually(
    async () => seen(stream.events).filter((name) => name === 'state job').length,
    (count) => count >= 2,
  );
  await stream.stop();
});

test('an id that cannot be resumed is answered with reset', async () => {
  const abort = new AbortController();
  const answer = await fetch(`${at.url}/api/v1/events`, {
    headers: { 'last-event-id': '8200' },
    signal: abort.signal,
  });
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  const { value } = (await answer.body?.getReader().read()) ?? {};
  expect(Buffer.from(value ?? []).toString()).toMatch(/^event: reset\n/m);
  abort.abort();
});

test('at most 64 streams are open, and their places come free again', async () => {
  const abort = new AbortController();
  const open = () => fetch(`${at.url}/api/v1/events`, { signal: abort.signal });
  // Streams of earlier tests give their places back as soon as the server sees that their clients are gone.
  // An answer that nobody holds is closed when it is collected.
  const held: Response[] = [];
  await eventually(open, (answer) => {
    if (answer.status === 200) held.push(answer);
    return held.length === 64;
  });
  const one = await open();
  expect([one.status, one.headers.get('retry-after')]).toEqual([429, '5']);
  await one.body?.cancel();
  expect(held.every(({ bodyUsed }) => !bodyUsed)).toBe(true);
  abort.abort();
  const again = new AbortController();
  const late = await eventually(
    () => fetch(`${at.url}/api/v1/events`, { signal: again.signal }),
    ({ status }) => status === 200,
  );
  expect(late.status).toBe(200);
  again.abort();
}, 60_000);

test('wrong filters are refused', async () => {
  expect((await fetch(`${at.url}/api/v1/events?dataset=x`)).status).toBe(422);
  await expect(client.events({ dataset: 'x' }).next()).rejects.toMatchObject({ status: 422 });
});
