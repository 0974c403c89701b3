// Idempotency-Key: the first answer to a create is the answer to every repetition, also after a restart or a death.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deliveredOrders, type Harness, startHarness } from './support/harness.js';
import { beginForm, eventually, type Part, post, postForm } from './support/http.js';
import { FIELDS } from './support/rows.js';

let at: Harness;
beforeAll(async () => {
  at = await startHarness('keys');
});
afterAll(async () => await at.close());

const parts: Part[] = [
  ['name', 'Brain'],
  ['sensor', 'TIFF'],
  ['user_email', 'ada@example.org'],
  ['file', 'hello', 'a.tif'],
];
const key = (name: string) => ({ 'idempotency-key': name });
const datasets = (): string => `${at.url}/api/v1/datasets`;
const uploads = (): string => `${at.url}/api/v1/uploads`;
const keys = () => at.store.db.collection<{ _id: string }>('idempotency_keys');

test('the same request gets the first answer, also from another process', async () => {
  const first = await post(datasets(), FIELDS, key('a'));
  const reordered = Object.fromEntries(Object.entries(FIELDS).reverse());
  const second = await post(datasets(), reordered, key('a'));
  expect([second.status, second.body]).toEqual([201, first.body]);
  expect(second.headers.get('idempotency-replayed')).toBe('true');
  await at.restart();
  expect((await post(datasets(), FIELDS, key('a'))).body).toEqual(first.body);
  expect(await at.store.datasets.countDocuments({ uuid: first.body.uuid })).toBe(1);
});

test('another body under the key is refused, another route is another key', async () => {
  await post(datasets(), FIELDS, key('b'));
  const other = await post(datasets(), { ...FIELDS, name: 'Other' }, key('b'));
  expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
  expect((await postForm(uploads(), parts, key('b'))).status).toBe(201);
  expect((await post(datasets(), FIELDS, key('not visible\u00e9'))).status).toBe(422);
});

test('a form is received once', async () => {
  const first = await postForm(uploads(), parts, key('c'));
  const second = await postForm(uploads(), parts, key('c'));
  expect([second.status, second.body]).toEqual([201, first.body]);
  expect(await deliveredOrders(at.client, first.body.dataset_uuid)).toHaveLength(1);
  const other = parts.map((part): Part => (part[0] === 'file' ? ['file', 'hello', 'b.tif'] : part));
  expect((await postForm(uploads(), other, key('c'))).body.code).toBe('idempotency_mismatch');
  const longer = parts.map((part): Part => (part[0] === 'file' ? ['file', 'hello, all', 'a.tif'] : part));
  expect((await postForm(uploads(), longer, key('c'))).body.code).toBe('idempotency_mismatch');
});

test('while the first request runs, the second waits its turn', async () => {
  const boundary = 'slow';
  const { formBody } = await import('./support/http.js');
  const body = formBody(parts, boundary);
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  async function* slowly() {
    yield body.subarray(0, body.length - 10);
    await gate;
    yield body.subarray(body.length - 10);
  }
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}`, ...key('d') };
  const init = { method: 'POST', body: slowly(), headers, duplex: 'half' } as unknown as RequestInit;
  const first = fetch(uploads(), init);
  await eventually(
    () => keys().findOne({ _id: '/api/v1/uploads d' }),
    (row) => row !== null,
  );
  const second = await postForm(uploads(), parts, key('d'));
  expect([second.status, second.body.code]).toEqual([409, 'idempotency_running']);
  expect(second.headers.get('retry-after')).not.toBeNull();
  go();
  expect((await first).status).toBe(201);
});

test('a key whose first request failed or died makes the same dataset again', async () => {
  const socket = await beginForm(uploads(), parts, 5_000_000, key('e'));
  const row = await eventually(
    () => at.store.jobs.findOne({ bytes_total: 5_000_000 }),
    (job) => job !== null,
  );
  socket.destroy();
  await eventually(
    () => at.store.jobs.findOne({ bytes_total: 5_000_000 }),
    (job) => job?.receiver === null,
  );
  const again = await eventually(
    () => postForm(uploads(), parts, key('e')),
    ({ status }) => status !== 409,
  );
  expect([again.status, again.body.dataset_uuid]).toEqual([201, row?.dataset_uuid]);
  expect(again.body.job_id).not.toBe(row?.job_id);
  expect(await deliveredOrders(at.client, again.body.dataset_uuid)).toMatchObject([
    { source: { fault: { code: 'upload_interrupted' } } },
    { replaces: row?.job_id, source: { bytes: 5 } },
  ]);
});

test('a lease of 30 s protects a key whose request died silently', async () => {
  const { body } = await post(datasets(), FIELDS, key('f'));
  const id = '/api/v1/datasets f';
  await keys().updateOne({ _id: id }, { $set: { answer: null, lease: new Date(Date.now() + 30_000) } });
  expect((await post(datasets(), FIELDS, key('f'))).body.code).toBe('idempotency_running');
  await keys().updateOne({ _id: id }, { $set: { lease: new Date(Date.now() - 1) } });
  const taken = await post(datasets(), FIELDS, key('f'));
  expect([taken.status, taken.body.uuid]).toEqual([201, body.uuid]);
  expect(await at.store.datasets.countDocuments({ uuid: body.uuid })).toBe(1);
});

test('a request that is wrong leaves its key free', async () => {
  expect((await post(datasets(), { ...FIELDS, sensor: 'odd' }, key('g'))).status).toBe(422);
  expect((await post(datasets(), FIELDS, key('g'))).status).toBe(201);
});
