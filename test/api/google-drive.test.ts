// Google Drive over HTTP: what is refused before anything is recorded, and that tokens are in no row, answer or order.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { GoogleTokens } from '../support/google-tokens.js';
import { deliveredOrders, type Harness, startHarness } from './support/harness.js';
import { get, post } from './support/http.js';

const ID = '1AbCdEfGhIjKlMnOpQrStUvWxYz-0_9';
let at: Harness;
let keys: string;
beforeAll(async () => {
  keys = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
  const { file } = new GoogleTokens().account('reader@survey.iam.gserviceaccount.com');
  writeFileSync(join(keys, 'survey.json'), file);
  at = await startHarness('google-drive', { googleAccounts: [{ path: keys }] });
});
afterAll(async () => {
  await at.close();
  rmSync(keys, { recursive: true });
});

const native = (source: object) =>
  post(`${at.url}/api/v1/uploads`, {
    name: 'Scans',
    sensor: 'TIFF',
    user_email: 'ada@example.org',
    source: { type: 'google_drive', ...source },
  });
const compat = (source_config: object) =>
  post(`${at.url}/api/upload/initiate`, {
    source_type: 'google_drive',
    source_config,
    dataset_name: 'Scans',
    sensor: 'TIFF',
    user_email: 'ada@example.org',
    convert: true,
    is_public: false,
  });

test('a link and the only account become an order that names both', async () => {
  const answer = await native({ id: `https://drive.google.com/drive/folders/${ID}?usp=sharing` });
  expect(answer.status).toBe(201);
  expect(await deliveredOrders(at.client, answer.body.dataset_uuid)).toMatchObject([
    { source: { kind: 'google_drive', id: ID, account: 'survey', sealed: false } },
  ]);
  const job = await get(`${at.url}/api/v1/jobs/${answer.body.job_id}`);
  expect(job.body).toMatchObject({ source: `Google Drive ${ID}`, source_type: 'google_drive' });
});

test('older clients name the key file by its path, and hear how long it may take', async () => {
  const service_account_file = join(keys, 'survey.json');
  const answer = await compat({ file_id: ID, service_account_file });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ status: 'queued', estimated_duration: 600, upload_type: 'standard' });
  const { source_types, required_parameters } = (await get(`${at.url}/api/upload/supported-sources`)).body;
  expect(source_types).toContain('google_drive');
  expect(required_parameters.google_drive).toEqual(['file_id', 'service_account_file']);
});

test.each([
  [
    'another file of the server',
    { file_id: ID, service_account_file: '/etc/hostname' },
    422,
    'It has survey.',
  ],
  [
    'a link that is none',
    { folder_link: 'https://example.org/x', account: 'survey' },
    422,
    'neither an id nor a link',
  ],
  ['no id', { service_account_file: 'survey' }, 422, 'file_id'],
  // The only account there is would read it otherwise.
  ['the tokens of a user that nobody has', { file_id: ID, use_oauth: true }, 422, 'send them as oauth'],
  [
    'both a user and an account',
    { file_id: ID, use_oauth: 'True', service_account_file: 'survey' },
    422,
    'source_config',
  ],
])('%s is refused, and nothing is recorded', async (_what, config, status, words) => {
  const before = await at.store.jobs.countDocuments();
  const answer = await compat(config);
  expect(answer.status).toBe(status);
  expect(JSON.stringify(answer.body)).toContain(words);
  expect(await at.store.jobs.countDocuments()).toBe(before);
});

test('tokens of the request lie sealed, and nowhere else', async () => {
  const oauth = {
    refresh_token: '1//0refresh-of-ada',
    client_id: 'client-of-portal',
    client_secret: 'GOCSPX-of-portal',
  };
  const answer = await native({ id: ID, oauth });
  expect(answer.status).toBe(201);
  const { job_id, dataset_uuid } = answer.body;
  const shown = [
    answer.body,
    (await get(`${at.url}/api/v1/jobs/${job_id}`)).body,
    (await get(`${at.url}/api/v1/datasets/${dataset_uuid}`)).body,
    await at.store.jobs.findOne({ job_id }),
    await at.store.datasets.findOne({ uuid: dataset_uuid }),
    await deliveredOrders(at.client, dataset_uuid),
    readFileSync(join(at.config.dirs.in, '.secrets', job_id), 'utf8'),
  ].map((one) => JSON.stringify(one));
  for (const text of shown) {
    for (const secret of Object.values(oauth)) expect(text).not.toContain(secret);
  }
  expect(shown.join()).toContain('"sealed":true');
});
