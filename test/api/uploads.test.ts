// Uploads through the native and the compatible route: fields in any order, failures, what is left behind.
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readReceived } from '../../src/bytes/receive.js';
import { deliveredOrders, type Harness, startHarness } from './support/harness.js';
import { beginForm, eventually, get, type Part, post, postForm } from './support/http.js';

let at: Harness;
beforeAll(async () => {
  at = await startHarness('uploads', { urlAllow: ['files.example'] });
});
afterAll(async () => await at.close());

const fields: Part[] = [
  ['name', 'Brain'],
  ['sensor', 'TIFF'],
  ['user_email', 'ada@example.org'],
];
const native = (): string => `${at.url}/api/v1/uploads`;
const compat = (): string => `${at.url}/api/upload/local/upload`;
const staged = (jobId: string, ...path: string[]): string =>
  join(at.config.dirs.in, '.staging', jobId, 'files', ...path);

test('a form with fields first becomes rows, bytes in staging and one order', async () => {
  const answer = await postForm(native(), [
    ...fields,
    ['file', 'hello', 'a.tif'],
    ['file', 'you', 'b/c.tif'],
  ]);
  expect(answer.status).toBe(201);
  const { job_id, dataset_uuid, notice, files, bytes } = answer.body;
  expect({ files, bytes }).toEqual({ files: 2, bytes: 8 });
  expect(notice).toBe('no worker is running; it starts when one does');
  expect(await readFile(staged(job_id, 'b', 'c.tif'), 'utf8')).toBe('you');
  expect(await readReceived(at.config.dirs, job_id)).toHaveLength(2);
  const row = await at.store.datasets.findOne({ uuid: dataset_uuid });
  expect(row).toMatchObject({
    status: 'uploading',
    name: 'Brain',
    user: 'ada@example.org',
    job_id,
    convert: true,
  });
  expect(row?.slug).toBe(`ada-brain-${new Date().getUTCFullYear()}`);
  const job = await at.store.jobs.findOne({ job_id });
  expect(job).toMatchObject({
    upload_status: 'uploading',
    receiver: null,
    bytes_uploaded: 8,
    bytes_total: 8,
  });
  const [order] = await deliveredOrders(at.client, dataset_uuid);
  expect(order).toEqual({
    jobId: job_id,
    source: { kind: 'received', files: 2, bytes: 8 },
    seal: true,
    priority: 2,
    by: 'ada@example.org',
  });
  expect(job?.parameters).toEqual({ order });
  const { history } = (await get(`${at.url}/api/v1/datasets/${dataset_uuid}/history`)).body;
  expect(history).toContainEqual(
    expect.objectContaining({ entity: `dataset:${dataset_uuid}`, from: null, to: 'uploading', run_id: null }),
  );
});

test('fields may come after the file, or on both sides of it', async () => {
  const last = await postForm(native(), [['file', 'x', 'x.tif'], ...fields]);
  expect(last.status).toBe(201);
  const mixed = await postForm(native(), [
    ...fields,
    ['file', 'x', 'x.tif'],
    ['folder', 'Later'],
    ['seal', 'no'],
  ]);
  expect(mixed.status).toBe(201);
  const row = await at.store.datasets.findOne({ uuid: mixed.body.dataset_uuid });
  expect(row?.folder_uuid).toBe('Later');
  expect(await deliveredOrders(at.client, mixed.body.dataset_uuid)).toMatchObject([{ seal: false }]);
});

test('relative_path places the files that follow it, and is refused after them', async () => {
  const good = await postForm(native(), [...fields, ['relative_path', 'day 1/'], ['file', 'x', 'x.tif']]);
  expect(await readFile(staged(good.body.job_id, 'day 1', 'x.tif'), 'utf8')).toBe('x');
  const late = await postForm(native(), [...fields, ['file', 'x', 'x.tif'], ['relative_path', 'day']]);
  expect(late.status).toBe(422);
  expect(late.body.errors[0].loc).toEqual(['body', 'relative_path']);
});

test('names with other letters arrive as they were sent', async () => {
  const answer = await postForm(native(), [...fields, ['file', 'x', 'Größe 宇宙.tif']]);
  expect(await readFile(staged(answer.body.job_id, 'Größe 宇宙.tif'), 'utf8')).toBe('x');
});

test.each([
  ['an empty name', [['file', 'x', '']], 400, 'empty_file_name'],
  ['a name that climbs', [['file', 'x', '../x.tif']], 400, 'unsafe_name'],
  ['an absolute name', [['file', 'x', '/etc/x.tif']], 400, 'unsafe_name'],
  [
    'two files of one name',
    [
      ['file', 'x', 'x.tif'],
      ['file', 'y', 'x.tif'],
    ],
    422,
    'invalid_field',
  ],
  ['no file', [], 422, 'invalid_field'],
  ['a file without a byte', [['file', '', 'x.tif']], 422, 'empty_file'],
] as [string, Part[], number, string][])(
  '%s is refused and leaves nothing',
  async (_what, files, status, code) => {
    const answer = await postForm(native(), [...fields, ...files]);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    const { job_id, dataset_uuid } = answer.body;
    if (job_id === undefined) return;
    expect(existsSync(join(at.config.dirs.in, '.staging', job_id))).toBe(false);
    expect(await deliveredOrders(at.client, dataset_uuid)).toMatchObject([{ source: { fault: { code } } }]);
  },
);

test('missing and wrong fields are named', async () => {
  const missing = await postForm(native(), [['file', 'x', 'x.tif']]);
  expect(missing.status).toBe(422);
  expect(missing.body.errors.map(({ loc }: { loc: string[] }) => loc[1])).toEqual([
    'name',
    'sensor',
    'user_email',
  ]);
  const wrong = fields.filter(([name]) => name !== 'sensor');
  const sensor = await postForm(native(), [...wrong, ['sensor', 'tiff'], ['file', 'x', 'x.tif']]);
  expect([sensor.status, sensor.body.code]).toEqual([422, 'unknown_sensor']);
  const odd: typeof fields = [...wrong, ['sensor', 'MAPIR'], ['parameters', '{"redd":1}']];
  const unknown = await postForm(native(), [...odd, ['file', 'x', 'x.tif']]);
  expect([unknown.status, unknown.body.code]).toEqual([422, 'invalid_field']);
  expect(unknown.body.detail).toContain('redd');
  const asIs = await postForm(native(), [
    ...wrong,
    ['sensor', '4D_Probe'],
    ['convert', 'False'],
    ['file', 'x', 'x.h5'],
  ]);
  expect(asIs.status).toBe(201);
});

test('a body beyond the limit is refused, announced or not', async () => {
  const big = new Uint8Array(65 * 1024 * 1024);
  const announced = await postForm(native(), [...fields, ['file', big, 'x.tif']]).catch(() => undefined);
  // The server may close before the last byte is sent; then the client sees no answer.
  if (announced !== undefined) expect(announced.status).toBe(413);
  const boundary = 'endless';
  async function* endless() {
    yield Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n`);
    for (let i = 0; i < 66; i++) yield Buffer.alloc(1024 * 1024);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const type = `multipart/form-data; boundary=${boundary}`;
  const init = { method: 'POST', body: endless(), headers: { 'content-type': type }, duplex: 'half' };
  const answer = await fetch(native(), init as unknown as RequestInit);
  expect(answer.status).toBe(413);
});

test('a client that goes away leaves a told failure and no bytes', async () => {
  const socket = await beginForm(native(), [...fields, ['file', 'x'.repeat(100_000), 'x.tif']], 10_000_000);
  const job = await eventually(
    () => at.store.jobs.findOne({ 'receiver.id': { $exists: true }, bytes_total: 10_000_000 }),
    (row) => row !== null,
  );
  expect(job?.receiver?.until.getTime()).toBeGreaterThan(Date.now());
  const uuid = job?.dataset_uuid ?? '';
  expect(await at.store.datasets.findOne({ uuid })).toMatchObject({ status: 'uploading' });
  socket.destroy();
  await eventually(
    () => at.store.jobs.findOne({ dataset_uuid: uuid }),
    (row) => row?.receiver === null,
  );
  expect(await deliveredOrders(at.client, uuid)).toMatchObject([
    { source: { kind: 'received', files: 0, fault: { code: 'upload_interrupted' } } },
  ]);
  expect(existsSync(join(at.config.dirs.in, '.staging', job?.job_id ?? ''))).toBe(false);
});

test('an upload that is being received can be cancelled', async () => {
  const socket = await beginForm(native(), [...fields, ['file', 'x'.repeat(1000), 'x.tif']], 20_000_000);
  const job = await eventually(
    () => at.store.jobs.findOne({ bytes_total: 20_000_000 }),
    (row) => row !== null,
  );
  const id = job?.job_id ?? '';
  const paused = await post(`${at.url}/api/v1/jobs/${id}/pause`);
  expect([paused.status, paused.body.detail]).toEqual([
    409,
    'cannot pause: the upload is "uploading"; now open: cancel',
  ]);
  const cancelled = await post(`${at.url}/api/v1/jobs/${id}/cancel`, { by: 'eve@example.org' });
  expect(cancelled.status).toBe(200);
  await eventually(
    () => at.store.jobs.findOne({ job_id: id }),
    (row) => row?.receiver === null,
  );
  expect(await deliveredOrders(at.client, job?.dataset_uuid ?? '')).toMatchObject([
    { source: { fault: { code: 'cancelled', say: 'Cancelled by eve@example.org.' } } },
  ]);
  socket.destroy();
});

test('an upload into a dataset that exists, and into one that does not', async () => {
  const made = await post(`${at.url}/api/v1/datasets`, Object.fromEntries(fields));
  expect([made.status, made.body.status, made.body.sealed]).toEqual([201, 'submitted', false]);
  const { uuid } = made.body;
  const answer = await postForm(native(), [
    ['dataset', uuid],
    ['file', 'x', 'x.tif'],
  ]);
  expect(answer.body.dataset_uuid).toBe(uuid);
  const row = await at.store.datasets.findOne({ uuid });
  expect([row?.status, row?.job_id]).toEqual(['submitted', answer.body.job_id]);
  const nowhere = await postForm(native(), [
    ['dataset', crypto.randomUUID()],
    ['file', 'x', 'x.tif'],
  ]);
  expect([nowhere.status, nowhere.body.code]).toEqual([404, 'not_found']);
  await at.store.datasets.updateOne({ uuid }, { $set: { status: 'cancelled' } });
  const late = await postForm(native(), [
    ['dataset', uuid],
    ['file', 'x', 'x.tif'],
  ]);
  expect([late.status, late.body.code]).toEqual([409, 'conflict']);
});

test('a URL is recorded without its secrets, which lie sealed', async () => {
  const source = { type: 'url', url: 'https://bob:hunter2@files.example/a.tif?token=s3cret#x' };
  const answer = await post(native(), { ...Object.fromEntries(fields), source });
  expect(answer.status).toBe(201);
  const { job_id, dataset_uuid } = answer.body;
  const job = await at.store.jobs.findOne({ job_id });
  expect(job?.source).toBe('URL https://files.example/a.tif');
  expect(JSON.stringify([job, await deliveredOrders(at.client, dataset_uuid)])).not.toMatch(/hunter2|s3cret/);
  expect(await at.api.deps.vault.open(job_id)).toEqual({
    user: 'bob',
    password: 'hunter2',
    query: '?token=s3cret',
  });
  const inside = await post(native(), {
    ...Object.fromEntries(fields),
    source: { type: 'url', url: 'http://10.0.0.1/' },
  });
  expect([inside.status, inside.body.code]).toEqual([403, 'url_forbidden']);
});

test('a path must lie below a root, links resolved', async () => {
  const root = join(at.config.home, 'roots');
  await mkdir(join(root, 'scan'), { recursive: true });
  await writeFile(join(root, 'scan', 'a.tif'), 'x');
  await symlink('/etc', join(root, 'out'));
  const start = (path: string) =>
    post(native(), { ...Object.fromEntries(fields), source: { type: 'local', path } });
  expect((await start(join(root, 'scan'))).status).toBe(201);
  for (const path of ['/etc/passwd', join(root, 'out', 'passwd'), `${root}/../x`, 'scan', `${root}-2/x`]) {
    expect([path, (await start(path)).body.code]).toEqual([path, 'outside_roots']);
  }
  expect((await start(join(root, 'nothing'))).body.code).toBe('path_not_found');
});

test('the compatible route answers in its own words', async () => {
  const shared: Part[] = [
    ['user_email', 'ada@example.org'],
    ['dataset_name', 'Brain'],
    ['sensor', 'TIFF'],
    ['convert', 'True'],
    ['is_public', 'no'],
    ['original_file_path', '/home/ada/x.tif'],
  ];
  const good = await postForm(compat(), [...shared, ['file', 'x', 'x.tif']]);
  expect(good.status).toBe(200);
  expect(good.body).toMatchObject({ status: 'queued', upload_type: 'standard', estimated_duration: 60 });
  expect(good.body.job_id).toMatch(/^upload_\d+_[0-9a-f]{8}$/);
  const bad = await postForm(compat(), [...shared, ['convert', 'maybe'], ['file', 'x', 'x.tif']]);
  expect(bad.status).toBe(422);
  expect(bad.body.detail).toEqual([expect.objectContaining({ loc: ['body', 'convert'], input: 'maybe' })]);
  expect(bad.body.error).toEqual(expect.any(String));
  const none = await postForm(compat(), shared);
  expect(none.body.detail).toEqual([expect.objectContaining({ type: 'missing', loc: ['body', 'file'] })]);
  expect((await postForm(compat(), [...shared, ['file', 'x', '']])).status).toBe(400);
  const uuid = good.body.dataset_uuid;
  const into: Part[] = [
    ['dataset_identifier', uuid],
    ['add_to_existing', 'True'],
    ['file', 'y', 'y.tif'],
  ];
  expect((await postForm(compat(), [...shared, ...into])).body.dataset_uuid).toBe(uuid);
  const unknown: Part[] = [
    ['dataset_identifier', 'brain'],
    ['add_to_existing', 'true'],
    ['file', 'y', 'y.tif'],
  ];
  expect((await postForm(compat(), [...shared, ...unknown])).status).toBe(404);
});
