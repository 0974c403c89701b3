// What the API does while the database or Temporal is away, and when it is asked to stop.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deliveredOrders, type Harness, required, startHarness } from './support/harness.js';
import { beginForm, eventually, get, type Part, post, postForm } from './support/http.js';
import { type Relay, startRelay } from './support/proxy.js';

let at: Harness;
let mongo: Relay;
let temporal: Relay;
const parts: Part[] = [
  ['name', 'Brain'],
  ['sensor', 'TIFF'],
  ['user_email', 'ada@example.org'],
  ['file', 'hello', 'a.tif'],
];

beforeAll(async () => {
  const mongoAt = new URL(required('SLUICE_TEST_MONGO'));
  const [host = '', port] = required('SLUICE_TEST_TEMPORAL').split(':');
  mongo = await startRelay(mongoAt.hostname, Number(mongoAt.port));
  temporal = await startRelay(host, Number(port));
  at = await startHarness('outage');
  const url = `mongodb://127.0.0.1:${mongo.port}/?directConnection=true`;
  await at.restart({
    mongo: { ...at.config.mongo, url },
    temporal: { ...at.config.temporal, address: `127.0.0.1:${temporal.port}` },
  });
});
afterAll(async () => {
  await at.close();
  await mongo.close();
  await temporal.close();
});

test('without the database new work is refused before its bytes, and welcome afterwards', async () => {
  expect((await postForm(`${at.url}/api/v1/uploads`, parts)).status).toBe(201);
  mongo.cut();
  const upload = await postForm(`${at.url}/api/v1/uploads`, parts);
  expect([upload.status, upload.body.code, upload.headers.get('retry-after')]).toEqual([
    503,
    'store_unavailable',
    '5',
  ]);
  const compat = await postForm(`${at.url}/api/upload/local/upload`, parts);
  expect([compat.status, compat.body.error]).toEqual([503, 'The database cannot be reached.']);
  expect((await get(`${at.url}/api/v1/datasets`)).status).toBe(503);
  expect((await get(`${at.url}/healthz`)).status).toBe(200);
  expect((await get(`${at.url}/readyz`)).body.checks).toMatchObject({ database: false, temporal: true });
  mongo.mend();
  const again = await eventually(
    () => postForm(`${at.url}/api/v1/uploads`, parts),
    ({ status }) => status === 201,
  );
  expect(again.status).toBe(201);
}, 60_000);

test('without Temporal an upload is accepted and told when it is back', async () => {
  temporal.cut();
  const upload = await postForm(`${at.url}/api/v1/uploads`, parts);
  expect([upload.status, upload.body.notice]).toEqual([
    201,
    expect.stringContaining('Temporal cannot be reached'),
  ]);
  const { job_id, dataset_uuid } = upload.body;
  const row = await at.store.jobs.findOne({ job_id });
  expect([row?.receiver?.id, row?.parameters]).toMatchObject([
    expect.any(String),
    { order: { source: { bytes: 5 } } },
  ]);
  const pause = await post(`${at.url}/api/v1/datasets/${dataset_uuid}/pause`);
  expect([pause.status, pause.body.code]).toEqual([503, 'engine_unavailable']);
  temporal.mend();
  await eventually(
    () => at.store.jobs.findOne({ job_id }),
    (job) => job?.receiver === null,
  );
  expect(await deliveredOrders(at.client, dataset_uuid)).toMatchObject([
    { jobId: job_id, source: { bytes: 5 } },
  ]);
}, 60_000);

test('a stop interrupts what is being received, and says so', async () => {
  const socket = await beginForm(`${at.url}/api/v1/uploads`, parts, 7_000_000);
  const job = await eventually(
    () => at.store.jobs.findOne({ bytes_total: 7_000_000 }),
    (row) => row !== null,
  );
  const begun = Date.now();
  await at.restart();
  expect(Date.now() - begun).toBeLessThan(5_000);
  expect(await at.store.jobs.findOne({ bytes_total: 7_000_000 })).toMatchObject({ receiver: null });
  expect(await deliveredOrders(at.client, job?.dataset_uuid ?? '')).toMatchObject([
    { source: { fault: { code: 'upload_interrupted', say: 'The server is stopping.' } } },
  ]);
  expect(existsSync(join(at.config.dirs.in, '.staging', job?.job_id ?? ''))).toBe(false);
  socket.destroy();
});

test('another program on the port is named, another HOST is refused', async () => {
  const { startApi } = await import('../../src/api/serve.js');
  const port = Number(new URL(at.url).port);
  await expect(startApi({ ...at.config, api: { host: '127.0.0.1', port } })).rejects.toMatchObject({
    code: 'conflict',
  });
  const open = { ...at.config, api: { host: '0.0.0.0', port: 0 } };
  await expect(startApi(open)).rejects.toMatchObject({ code: 'forbidden_origin' });
});
