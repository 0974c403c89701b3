// Who gets how much: limits that hold over several API processes, refusals that say what to do, and healing after a death.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { COLLECTIONS } from '../../src/contracts/documents.js';
import type { UploadStatus } from '../../src/domain/upload.js';
import { ask as askTus, metadata, NATIVE } from '../support/tus.js';
import { type ApiProcess, startApiProcess } from './support/api-process.js';
import { type Harness, startHarness } from './support/harness.js';
import { type Answer, beginForm, eventually, get, type Part, post, postForm, put } from './support/http.js';
import { putRows } from './support/rows.js';

const ADA = 'ada@example.org';
let at: Harness;
let second: ApiProcess;
let file: string;
beforeAll(async () => {
  at = await startHarness('limits', { owners: { open_jobs: 0 }, urlAllow: ['127.0.0.0/8'] });
  file = join(at.config.localRoots[0] ?? '', 'a.bin');
  await mkdir(at.config.localRoots[0] ?? '', { recursive: true });
  await writeFile(file, 'hello');
  second = await startApiProcess(at);
});
afterAll(async () => {
  await second.stop();
  await at.close();
});
beforeEach(async () => {
  for (const name of Object.values(COLLECTIONS)) await at.store.db.collection<object>(name).deleteMany({});
});

const limitsOf = (owner: string): string => `${at.url}/api/v1/limits/owners/${owner}`;
const wish = (more: object = {}) => ({ name: 'Brain', sensor: 'OTHER', user_email: ADA, ...more });
const pull = (url = at.url, more: object = {}): Promise<Answer> =>
  post(`${url}/api/v1/uploads`, { ...wish(more), source: { type: 'local', path: file } });
const form = (bytes: number, url = at.url): Promise<Answer> => {
  const parts: Part[] = [...Object.entries(wish()), ['file', 'x'.repeat(bytes), 'a.bin'] as const];
  return postForm(`${url}/api/v1/uploads`, parts);
};
const told = ({ status, body, headers }: Answer) => [status, body.code, headers.get('retry-after')];
const endSome = async (count: number, status: UploadStatus): Promise<void> => {
  const open = await at.store.jobs.find({ upload_status: 'uploading' }).limit(count).toArray();
  for (const { job_id } of open)
    await at.store.jobs.updateOne({ job_id }, { $set: { upload_status: status } });
};

test('two processes at once never go beyond what an owner may have, and what ended makes room', async () => {
  await put(limitsOf(ADA), { open_jobs: 10 });
  const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => pull(i % 2 ? at.url : second.url)));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
  expect(await at.store.jobs.countDocuments({ user_email: ADA })).toBe(10);
  expect(await at.store.datasets.countDocuments({ user_email: ADA })).toBe(10);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(refused.map(told)).toEqual(refused.map(() => [429, 'too_many_open_jobs', '5']));
  // In the crowd those that are being refused count for a moment.
  const late = await pull(at.url);
  expect(told(late)).toEqual([429, 'too_many_open_jobs', '5']);
  expect(late.body).toMatchObject({
    limit: 'open_jobs',
    most: 10,
    used: 10,
    detail: `${ADA} has 10 of 10 open jobs.`,
  });
  expect(late.body.remedy).toMatch(/wait|cancel/i);
  expect((await pull(at.url, { user_email: 'bob@example.org' })).status).toBe(201);
  await endSome(3, 'completed');
  const more = await eventually(
    () => pull(second.url),
    ({ status }) => status === 201,
  );
  expect(more.status).toBe(201);
  const rest = await Promise.all(Array.from({ length: 8 }, (_, i) => pull(i % 2 ? at.url : second.url)));
  expect(rest.filter(({ status }) => status === 201)).toHaveLength(2);
  expect((await get(limitsOf(ADA))).body.use.open_jobs).toBe(10);
});

test('uploads that clients still send are limited, whoever receives them', async () => {
  await put(limitsOf(ADA), { open_uploads: 1 });
  const parts: Part[] = [...Object.entries(wish()), ['file', 'x'.repeat(1000), 'a.bin'] as const];
  const socket = await beginForm(`${at.url}/api/v1/uploads`, parts, 100_000);
  await eventually(
    () => at.store.jobs.countDocuments({ user_email: ADA }),
    (count) => count === 1,
  );
  expect(told(await form(10, second.url))).toEqual([429, 'too_many_open_uploads', '5']);
  // What the server fetches itself is no such upload.
  expect((await pull(second.url)).status).toBe(201);
  socket.destroy();
  await at.store.jobs.updateMany({ source_type: 'received' }, { $set: { upload_status: 'failed' } });
  await eventually(
    () => form(10, second.url),
    ({ status }) => status === 201,
  );
});

test('bytes on their way and bytes that are stored are limited before the first of them is taken', async () => {
  await put(limitsOf(ADA), { open_bytes: 5_000 });
  const first = await form(2_000);
  expect(first.status).toBe(201);
  const refused = await form(4_000);
  expect(told(refused)).toEqual([429, 'too_many_open_bytes', '5']);
  expect(refused.body.detail).toMatch(/of 5000 bytes on their way, and this needs 4\d{3} more/);
  await put(limitsOf(ADA), { open_bytes: null, stored_bytes: 10_000 });
  await putRows(at.store, { total_size_bytes: 9_000, status: 'done' }, { upload_status: 'completed' });
  await eventually(
    () => form(3_000),
    ({ status }) => status !== 201,
  );
  const full = await form(3_000);
  expect(told(full)).toEqual([507, 'quota_reached', null]);
  expect(full.body).toMatchObject({ limit: 'stored_bytes', most: 10_000 });
  expect(full.body.remedy).toMatch(/operator/);
  expect((await form(3_000)).status).toBe(507);
});

test('what a process that died had taken is free again, and a counter that is wrong is counted anew', async () => {
  await put(limitsOf(ADA), { open_jobs: 2 });
  const old = new Date(Date.now() - 120_000);
  await at.store.db.collection<{ _id: string }>(COLLECTIONS.usage).insertOne({
    _id: ADA,
    ...{ open_jobs: 57, open_uploads: 3, open_bytes: 1e9, stored_bytes: 0, seq: 4, counted_at: old },
    pending: [{ job: 'upload_1_dead', jobs: 1, uploads: 1, bytes: 10, at: old }],
  } as { _id: string });
  expect((await pull()).status).toBe(201);
  expect((await pull()).status).toBe(201);
  expect((await pull()).status).toBe(429);
});

test('a refused upload leaves nothing; an unset limit is as if it had never been', async () => {
  await put(`${at.url}/api/v1/limits/owners`, { open_jobs: 1 });
  expect((await pull()).status).toBe(201);
  const before = await at.store.datasets.countDocuments();
  expect((await pull()).status).toBe(429);
  expect(await at.store.datasets.countDocuments()).toBe(before);
  await put(limitsOf(ADA), { open_jobs: 0 });
  expect((await pull()).status).toBe(201);
  expect((await put(limitsOf(ADA), { open_jobs: null })).body.values).toEqual({});
  expect((await pull()).status).toBe(429);
  expect((await get(`${at.url}/api/v1/limits`)).body.limits).toEqual([
    { scope: 'owners', name: null, values: { open_jobs: 1 } },
  ]);
});

test('limits are shown as they hold, and mistakes are refused by name', async () => {
  await put(`${at.url}/api/v1/limits/global`, { bytes_per_second: 1_000_000, by: 'ops@example.org' });
  await put(limitsOf(ADA), { stored_bytes: 5, bytes_per_second: 7 });
  const { body } = await get(limitsOf(ADA));
  expect(body).toMatchObject({
    owner: ADA,
    limits: { stored_bytes: 5, open_jobs: 0 },
    set: { stored_bytes: 5 },
  });
  const { jobId } = await putRows(at.store);
  const limited = await put(`${at.url}/api/v1/limits/jobs/${jobId}`, { bytes_per_second: 10 });
  expect(limited.body).toEqual({ scope: 'job', name: jobId, values: { bytes_per_second: 10 } });
  expect((await put(`${at.url}/api/v1/limits/jobs/upload_1_x`, { bytes_per_second: 1 })).status).toBe(404);
  const wrong = await put(limitsOf(ADA), { open_jobs: -1, opn_bytes: 3 });
  expect([wrong.status, wrong.body.code]).toEqual([422, 'invalid_field']);
  expect(wrong.body.detail).toMatch(/open_jobs/);
  expect((await put(`${at.url}/api/v1/limits/global`, { open_jobs: 3 })).status).toBe(422);
});

test('a request names how urgent it is, and the job shows it', async () => {
  const shown = async (answer: Answer) =>
    (await get(`${at.url}/api/v1/jobs/${answer.body.job_id}`)).body.priority;
  expect(await shown(await pull())).toBe(2);
  expect(await shown(await pull(at.url, { priority: 1 }))).toBe(1);
  const parts: Part[] = [...Object.entries(wish()), ['file', 'x', 'a.bin'], ['priority', '3']];
  expect(await shown(await postForm(`${at.url}/api/v1/uploads`, parts))).toBe(3);
  const wrong = await pull(at.url, { priority: 4 });
  expect([wrong.status, wrong.body.detail]).toEqual([
    422,
    'priority: Input should be 1 (high), 2 (normal) or 3 (low)',
  ]);
});

const compat = { dataset_name: 'Brain', sensor: 'OTHER', user_email: ADA };
const compatForm: Part[] = [...Object.entries(compat), ['file', 'hello', 'a.bin']];
const tus = async (url: string, body?: Uint8Array): Promise<Answer> => {
  const fields = { 'upload-length': '5', 'upload-metadata': metadata({ ...NATIVE, filename: 'a.bin' }) };
  const type = body === undefined ? {} : { 'content-type': 'application/offset+octet-stream' };
  const answer = await askTus('POST', `${url}/files`, { ...fields, ...type }, body);
  return { ...answer, body: JSON.parse(answer.body) };
};
const putFile = async (url: string): Promise<Answer> => {
  const path = `/api/v1/files/a.bin?sensor=OTHER&user_email=${ADA}`;
  const answer = await fetch(url + path, { method: 'PUT', body: 'hello' });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
};
const chunks = (url: string): Promise<Answer> =>
  post(`${url}/api/upload/large/initiate`, {
    ...compat,
    ...{ filename: 'a.bin', file_size: 5, file_hash: '0'.repeat(64) },
  });
const initiate = (url: string): Promise<Answer> =>
  post(`${url}/api/upload/initiate`, {
    ...compat,
    ...{ source_type: 'url', source_config: { url: 'http://ada:word@127.0.0.1:9/a.bin' } },
  });

/** Every way to begin an upload. `sends`: the bytes come from the client. */
const DOORS: readonly { door: string; sends: boolean; begin: (url: string) => Promise<Answer> }[] = [
  { door: 'a form', sends: true, begin: (url) => form(5, url) },
  {
    door: 'a form whose file comes first',
    sends: true,
    begin: (url) =>
      postForm(`${url}/api/v1/uploads`, [['file', 'hello', 'a.bin'], ...Object.entries(wish())] as Part[]),
  },
  { door: 'PUT', sends: true, begin: putFile },
  { door: 'tus', sends: true, begin: (url) => tus(url) },
  { door: 'tus with its first bytes', sends: true, begin: (url) => tus(url, Buffer.from('hel')) },
  { door: 'chunks', sends: true, begin: chunks },
  { door: 'the older form', sends: true, begin: (url) => postForm(`${url}/api/upload/upload`, compatForm) },
  {
    door: 'the oldest form',
    sends: true,
    begin: (url) => postForm(`${url}/api/upload/local/upload`, compatForm),
  },
  { door: 'a pull', sends: false, begin: (url) => pull(url) },
  { door: 'an older pull', sends: false, begin: initiate },
  {
    door: 'an older path',
    sends: false,
    begin: (url) =>
      postForm(`${url}/api/upload/upload-path`, [...Object.entries(compat), ['file_path', file]] as Part[]),
  },
];

test.each(DOORS)(
  'at its limit an owner is refused by $door, in either process, and nothing is left',
  async ({ sends, begin }) => {
    await putRows(at.store);
    const counts = () =>
      Promise.all([at.store.jobs.countDocuments(), at.store.datasets.countDocuments(), staged()]);
    const before = await counts();
    const refusals = [
      ['open_jobs', 1, 'too_many_open_jobs'],
      ...(sends ? [['open_bytes', 1, 'too_many_open_bytes'] as const] : []),
    ] as const;
    for (const [limit, most, code] of refusals) {
      await put(limitsOf(ADA), { open_jobs: null, open_bytes: null, [limit]: most });
      for (const url of [at.url, second.url]) {
        const refused = await begin(url);
        expect(told(refused)).toEqual([429, code, '5']);
        // Older clients read `detail` or `error`, ours `remedy` too; each is a sentence.
        const { detail, error, remedy } = refused.body;
        expect(detail).toMatch(/^ada@example\.org has \d+ of 1 /);
        expect([typeof error, typeof remedy, refused.body.limit]).toEqual(['string', 'string', limit]);
      }
    }
    expect(await counts()).toEqual(before);
    await put(limitsOf(ADA), { open_jobs: null, open_bytes: null });
    for (const url of [at.url, second.url]) expect([200, 201]).toContain((await begin(url)).status);
  },
);

/** What lies in staging: uploads that have begun. */
const staged = async (): Promise<string[]> =>
  (await readdir(join(at.config.dirs.in, '.staging')).catch(() => [])).sort();
