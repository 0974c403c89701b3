// The source s3 at the API: what is recorded, that keys are sealed and shown nowhere, what is refused at once.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openVault } from '../../src/secrets/vault.js';
import { deliveredOrders, type Harness, startHarness } from './support/harness.js';
import { get, post } from './support/http.js';

const SECRET = 'wJalr-not-for-anybody';
let at: Harness;
beforeAll(async () => {
  at = await startHarness('s3', { urlAllow: ['store.example:9000'] });
});
afterAll(async () => await at.close());

const shared = { name: 'Scans', sensor: 'TIFF', user_email: 'ada@example.org' };
const keys = { access_key_id: 'AKIDADA', secret_access_key: SECRET };
const start = (source: object) =>
  post(`${at.url}/api/v1/uploads`, { ...shared, source: { type: 's3', bucket: 'scans', ...source } });

test('an object becomes an order without its keys, which lie sealed', async () => {
  const endpoint = 'http://store.example:9000';
  const answer = await start({ key: 'a/b.tif', endpoint, ...keys, session_token: 'tok-en' });
  expect(answer.status).toBe(201);
  const { job_id, dataset_uuid } = answer.body;
  const [order] = await deliveredOrders(at.client, dataset_uuid);
  expect(order).toMatchObject({
    source: {
      kind: 's3',
      bucket: 'scans',
      key: 'a/b.tif',
      prefix: false,
      endpoint,
      region: 'us-east-1',
      pathStyle: true,
      sealed: true,
    },
  });
  const sealed = { accessKeyId: 'AKIDADA', secretAccessKey: SECRET, sessionToken: 'tok-en' };
  expect(await openVault(at.config.home, at.config.dirs).open(job_id)).toEqual(sealed);
  const shown = [
    answer.body,
    order,
    (await get(`${at.url}/api/v1/jobs/${job_id}`)).body,
    await at.store.jobs.find({}).toArray(),
    await at.store.datasets.find({}).toArray(),
    await at.store.db.collection('idempotency').find({}).toArray(),
  ];
  for (const word of [SECRET, 'tok-en', 'AKIDADA']) expect(JSON.stringify(shown)).not.toContain(word);
});

test.each([
  [{ prefix: 'scans/2024-' }, { key: 'scans/2024-', prefix: true, sealed: false }],
  [{ key: 'dir/' }, { key: 'dir/', prefix: true }],
  [{}, { key: '', prefix: true, pathStyle: false, region: 'us-east-1' }],
  [{ bucket: 'with.dots', key: 'a' }, { pathStyle: true }],
  [{ bucket: 'Old_Bucket', key: 'a', path_style: false }, { pathStyle: true }],
  [{ endpoint: 'http://store.example:9000/', path_style: false }, { pathStyle: false }],
])('%j is read as %j', async (source, expected) => {
  const { body, status } = await start(source);
  expect(status).toBe(201);
  expect(await deliveredOrders(at.client, body.dataset_uuid)).toMatchObject([{ source: expected }]);
});

test('older clients name it in their own fields', async () => {
  const source_config = { bucket_name: 'scans', object_key: 'a.tif', ...keys, region: 'eu-west-1' };
  const answer = await post(`${at.url}/api/upload/initiate`, {
    source_type: 's3',
    source_config,
    user_email: 'ada@example.org',
    dataset_name: 'Scans',
    sensor: 'TIFF',
    convert: true,
    is_public: false,
  });
  expect([answer.status, answer.body.estimated_duration]).toEqual([200, 300]);
  const job = await at.store.jobs.findOne({ job_id: answer.body.job_id });
  expect(job?.parameters).toMatchObject({
    order: { source: { bucket: 'scans', key: 'a.tif', region: 'eu-west-1', sealed: true } },
  });
  const supported = (await get(`${at.url}/api/upload/supported-sources`)).body;
  expect(JSON.stringify(supported)).toContain('"secret_access_key"');
});

test.each<[string, object, number, RegExp]>([
  ['a private endpoint', { endpoint: 'http://10.0.0.1:9000' }, 403, /10\.0\.0\.1/],
  ['an endpoint with a path', { endpoint: 'http://store.example:9000/scans' }, 422, /address of the store/],
  ['an endpoint of another kind', { endpoint: 'ftp://store.example' }, 422, /only http and https/],
  ['a secret without its id', { secret_access_key: SECRET }, 422, /belong together/],
  ['key and prefix', { key: 'a', prefix: 'b' }, 422, /one of them/],
  ['a bucket that is a path', { bucket: 'a/../b' }, 422, /name of a bucket/],
  ['a region that is a host', { region: 'a.evil.example/' }, 422, /name of a region/],
  ['a secret that is no text', { access_key_id: 'a', secret_access_key: [SECRET] }, 422, /secret_access_key/],
  ['a misspelt secret', { access_key_id: 'a', secret_acces_key: SECRET }, 422, /secret_acces_key/],
])('%s is refused at once, and no secret is repeated', async (_what, source, status, words) => {
  const before = await at.store.jobs.countDocuments();
  const answer = await start(source);
  expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(words)]);
  expect(JSON.stringify(answer.body)).not.toContain(SECRET);
  expect(await at.store.jobs.countDocuments()).toBe(before);
});
