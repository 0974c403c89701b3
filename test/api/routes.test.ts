// Reading and commanding: every route once well and once badly, without a worker.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { UploadOrder } from '../../src/contracts/workflow.js';
import { ordersOf } from '../../src/store/jobs.js';
import { type Harness, startHarness } from './support/harness.js';
import { get, post, postForm } from './support/http.js';
import { FIELDS, putRows } from './support/rows.js';

let at: Harness;
beforeAll(async () => {
  at = await startHarness('routes');
});
afterAll(async () => await at.close());

const failure = { code: 'no_tiff', say: 'No TIFF.', remedy: 'Send one.', blame: 'content' } as const;
const mark = { runId: 'r', revision: 3, stage: null, paused: null, failure: null, product: null };

test('health tells what is there and what is not', async () => {
  expect(await get(`${at.url}/healthz`)).toMatchObject({ status: 200, body: { status: 'ok' } });
  const ready = await get(`${at.url}/readyz`);
  expect(ready.status).toBe(503);
  const queues = { control: false, transfer: false, compute: false };
  expect(ready.body).toEqual({
    ready: false,
    checks: { database: true, temporal: true, worker: false, queues },
  });
});

test('only programs on this machine are answered', async () => {
  const url = `${at.url}/api/v1/datasets`;
  const { port } = new URL(at.url);
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'x-forwarded-for': '10.0.0.1' },
    { forwarded: 'for=10.0.0.1' },
  ]) {
    const { status, body } = await get(url, headers as Record<string, string>);
    expect([headers, status, body.code]).toEqual([headers, 403, 'forbidden_origin']);
  }
  expect(
    (await get(url, { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' })).status,
  ).toBe(200);
  expect((await get(`http://localhost:${port}/healthz`)).status).toBe(200);
});

test('a foreign Host header is refused', async () => {
  const { request } = await import('undici');
  const answer = await request(`${at.url}/healthz`, { headers: { host: 'rebound.example' } });
  expect(answer.statusCode).toBe(403);
  await answer.body.dump();
});

test('unknown routes and broken bodies are problems with a code', async () => {
  const none = await get(`${at.url}/api/v1/nothing`);
  expect([none.status, none.body.code, none.body.instance]).toEqual([404, 'not_found', '/api/v1/nothing']);
  const broken = await post(`${at.url}/api/v1/datasets`, '{"name":');
  expect([broken.status, broken.body.errors[0].type]).toEqual([422, 'json_invalid']);
  const type = await post(`${at.url}/api/v1/datasets`, 'x', { 'content-type': 'text/plain' });
  expect([type.status, type.body.code]).toEqual([415, 'unsupported_media_type']);
  const long = await post(`${at.url}/api/v1/datasets`, { name: 'x'.repeat(2_000_000) });
  expect([long.status, long.body.code]).toEqual([413, 'payload_too_large']);
});

test('datasets are made, listed page by page, filtered and shown', async () => {
  const owner = 'bob@example.org';
  for (const name of ['One', 'Two', 'Three (3)']) {
    const made = await post(`${at.url}/api/v1/datasets`, { ...FIELDS, name, user_email: owner });
    expect(made.status).toBe(201);
  }
  const list = (query: string) => get(`${at.url}/api/v1/datasets?user_email=${owner}${query}`);
  const first = await list('&limit=2');
  expect(first.body.datasets.map(({ name }: { name: string }) => name)).toEqual(['Three (3)', 'Two']);
  const second = await list(`&limit=2&cursor=${first.body.next}`);
  expect(second.body.datasets.map(({ name }: { name: string }) => name)).toEqual(['One']);
  expect(second.body.next).toBeNull();
  expect((await list('&name=(3')).body.datasets).toHaveLength(1);
  expect((await list('&status=done')).body.datasets).toEqual([]);
  expect((await list('&status=odd')).status).toBe(422);
  expect((await list('&cursor=odd')).status).toBe(422);
  const [{ uuid }] = second.body.datasets;
  const one = await get(`${at.url}/api/v1/datasets/${uuid}`);
  expect(one.body).toMatchObject({
    name: 'One',
    status: 'submitted',
    progress_percentage: 0,
    uploads: [],
    open: ['cancel'],
  });
  expect((await get(`${at.url}/api/v1/datasets/${crypto.randomUUID()}`)).status).toBe(404);
  expect((await get(`${at.url}/api/v1/datasets/x`)).status).toBe(404);
  const bad = await post(`${at.url}/api/v1/datasets`, { name: '', sensor: 'TIFF' });
  expect(bad.body.errors.map(({ loc }: { loc: string[] }) => loc[1])).toEqual(['name', 'user_email']);
});

test('progress is a share of all stages and never null', async () => {
  const total = { bytes_uploaded: 50, bytes_total: 100 };
  const { uuid, jobId } = await putRows(at.store, {}, total);
  const job = (await get(`${at.url}/api/v1/jobs/${jobId}`)).body;
  expect(job).toMatchObject({
    progress_percentage: 20,
    stage: 'fetch',
    speed_mbps: null,
    dataset_info: { name: 'Brain' },
  });
  expect(job.estimated_completion).toEqual(expect.any(String));
  expect((await get(`${at.url}/api/v1/datasets/${uuid}`)).body.progress_percentage).toBe(20);
  const progress = {
    stage: 'convert',
    done: 1,
    total: 2,
    unit: 'blocks',
    runId: 'r',
    attempt: 1,
    at: new Date(),
  } as const;
  const sluice = { ...mark, status: 'converting', stage: 'convert', progress } as const;
  const more = { ...progress, mbPerSecond: 12.5, etaSeconds: 7.6, note: 'a.tif' };
  await at.store.datasets.updateOne(
    { uuid },
    { $set: { status: 'converting', sluice: { ...sluice, progress: more } } },
  );
  await at.store.jobs.updateOne({ job_id: jobId }, { $set: { upload_status: 'processing' } });
  const shown = { progress_percentage: 67.5, speed_mbps: 12.5, eta_seconds: 8, current_file: 'a.tif' };
  expect((await get(`${at.url}/api/v1/jobs/${jobId}`)).body).toMatchObject(shown);
  expect((await get(`${at.url}/api/upload/status/${jobId}`)).body).toMatchObject(shown);
  await at.store.jobs.updateOne(
    { job_id: jobId },
    { $set: { upload_status: 'completed', status: 'completed' } },
  );
  const done = (await get(`${at.url}/api/upload/status/${jobId}`)).body;
  expect(done).toMatchObject({ status: 'completed', progress_percentage: 100, eta_seconds: 0, error: null });
});

test('rows of older programs can be read', async () => {
  const uuid = crypto.randomUUID();
  const old = {
    uuid,
    name: 'Old',
    user: 'old@example.org',
    sensor: 'TIFF',
    status: 'conversion failed',
    created_at: new Date(),
  };
  await at.store.db.collection('visstoredatas').insertOne(old);
  const { status, body } = await get(`${at.url}/api/v1/datasets/${uuid}`);
  expect([status, body.status, body.user_email]).toEqual([200, 'conversion error', 'old@example.org']);
});

test('jobs are listed and filtered in both dialects', async () => {
  const owner = 'cyd@example.org';
  for (const status of ['completed', 'failed', 'uploading'] as const) {
    await putRows(at.store, {}, { user_email: owner, upload_status: status });
  }
  const native = await get(`${at.url}/api/v1/jobs?user_email=${owner}&upload_status=failed`);
  expect(native.body.jobs).toHaveLength(1);
  expect((await get(`${at.url}/api/v1/uploads?user_email=${owner}`)).body.jobs).toHaveLength(3);
  expect((await get(`${at.url}/api/v1/jobs/upload_0_00000000`)).status).toBe(404);
  const list = (query: string) => get(`${at.url}/api/upload/jobs?${query}`);
  const all = await list(`user_id=${owner}&limit=2&offset=1`);
  expect(all.body).toMatchObject({ total: 3, limit: 2, offset: 1 });
  expect(all.body.jobs).toHaveLength(2);
  expect((await list('')).status).toBe(400);
  const odd = await list(`user_id=${owner}&status=odd`);
  expect([odd.status, odd.body.detail[0].loc]).toEqual([422, ['query', 'status']]);
});

test('commands go to the workflow; without a worker they wait as signals', async () => {
  const sent = await postForm(`${at.url}/api/v1/uploads`, [
    ['name', 'Brain'],
    ['sensor', 'TIFF'],
    ['user_email', 'ada@example.org'],
    ['file', 'x', 'x.tif'],
  ]);
  const { job_id, dataset_uuid: uuid } = sent.body;
  const paused = await post(`${at.url}/api/v1/datasets/${uuid}/pause`, { reason: 'lunch' });
  expect([paused.status, paused.body.done, paused.body.notice]).toEqual([202, false, expect.any(String)]);
  expect((await post(`${at.url}/api/v1/datasets/${uuid}/seal`)).status).toBe(202);
  const { events } = await at.client.workflow.getHandle(`dataset:${uuid}`).fetchHistory();
  const signals = (events ?? []).flatMap(
    (event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? [],
  );
  expect(signals).toEqual(['addUpload', 'pause', 'seal']);
  const cancelled = await post(`${at.url}/api/upload/cancel/${job_id}`);
  expect([cancelled.status, cancelled.body.message]).toEqual([200, expect.stringContaining(job_id)]);
  const retry = await post(`${at.url}/api/v1/datasets/${uuid}/retry`);
  expect([retry.status, retry.body.open]).toEqual([409, ['pause', 'cancel', 'seal']]);
}, 60_000);

test('commands that the state does not allow are refused with what is open', async () => {
  const done = await putRows(
    at.store,
    { status: 'done' },
    { upload_status: 'completed', status: 'completed' },
  );
  const late = await post(`${at.url}/api/v1/jobs/${done.jobId}/cancel`);
  expect([late.status, late.body.detail]).toEqual([
    409,
    'cannot cancel: the upload is "completed"; now open: nothing',
  ]);
  expect((await post(`${at.url}/api/upload/cancel/${done.jobId}`)).status).toBe(404);
  expect((await post(`${at.url}/api/upload/cancel/upload_0_00000000`)).status).toBe(404);
  const pause = await post(`${at.url}/api/v1/datasets/${done.uuid}/pause`);
  expect(pause.body.detail).toBe('cannot pause: the dataset is "done"; now open: convert');
  expect((await post(`${at.url}/api/v1/datasets/${done.uuid}/seal`)).status).toBe(409);
  const gone = await putRows(at.store, { status: 'uploading' });
  expect((await post(`${at.url}/api/v1/datasets/${gone.uuid}/cancel`)).status).toBe(409);
});

test('a dataset to which nothing was delivered can be cancelled: a run starts and hears it', async () => {
  const made = await post(`${at.url}/api/v1/datasets`, FIELDS);
  const cancel = () => post(`${at.url}/api/v1/datasets/${made.body.uuid}/cancel`, { reason: 'a mistake' });
  expect((await cancel()).status).toBe(202);
  const { events } = await at.client.workflow.getHandle(`dataset:${made.body.uuid}`).fetchHistory();
  const signals = (events ?? []).flatMap(
    (event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? [],
  );
  expect(signals).toEqual(['cancel']);
}, 60_000);

test('a retry of very many uploads names them; the run looks up what they are to fetch', async () => {
  const { uuid, jobId } = await putRows(
    at.store,
    { status: 'failed' },
    { upload_status: 'failed', status: 'failed' },
  );
  const row = await at.store.jobs.findOne({ job_id: jobId }, { projection: { _id: 0 } });
  if (row === null) throw new Error('no row');
  const { order } = row.parameters as { order: UploadOrder };
  const more = Array.from({ length: 120 }, (_, n) => `upload_1764077347_0000${1000 + n}`);
  await at.store.jobs.insertMany(
    more.map((job_id) => ({ ...row, job_id, parameters: { order: { ...order, jobId: job_id } } })),
  );
  expect((await post(`${at.url}/api/v1/datasets/${uuid}/retry`)).body.run_id).toEqual(expect.any(String));
  const { events } = await at.client.workflow.getHandle(`dataset:${uuid}`).fetchHistory();
  const data = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
  const input = JSON.parse(Buffer.from(data ?? []).toString()) as { again: string[]; uploads?: unknown };
  expect([input.again.toSorted(), input.uploads]).toEqual([[jobId, ...more].toSorted(), undefined]);
  const wanted = [more[7], 'upload_nobody', jobId] as const;
  expect(await ordersOf(at.store, uuid, wanted.map(String))).toEqual([{ ...order, jobId: more[7] }, order]);
});

test('retry and convert start a new run', async () => {
  const failed = await putRows(at.store, { status: 'failed' }, { upload_status: 'failed', status: 'failed' });
  const retried = await post(`${at.url}/api/v1/jobs/${failed.jobId}/retry`);
  expect(retried.body.run_id).toEqual(expect.any(String));
  const { events } = await at.client.workflow.getHandle(`dataset:${failed.uuid}`).fetchHistory();
  const input = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
  expect(JSON.parse(Buffer.from(input ?? []).toString())).toMatchObject({
    reason: 'retry',
    status: 'failed',
    fresh: false,
    uploads: [{ jobId: failed.jobId }],
  });
  const twice = await post(`${at.url}/api/v1/datasets/${failed.uuid}/retry`);
  expect([twice.status, twice.body.code]).toEqual([409, 'conflict']);
  const lost = await putRows(at.store, { status: 'failed' }, { upload_status: 'failed', status: 'failed' });
  const note = { ...failure, code: 'upload_interrupted' } as const;
  await at.store.jobs.updateOne({ job_id: lost.jobId }, { $set: { 'sluice.failure': note } });
  const again = await post(`${at.url}/api/v1/datasets/${lost.uuid}/retry`);
  expect([again.status, again.body.detail]).toEqual([409, expect.stringContaining(`replaces=${lost.jobId}`)]);
  const done = await putRows(
    at.store,
    { status: 'done' },
    { upload_status: 'completed', status: 'completed' },
  );
  expect((await post(`${at.url}/api/v1/datasets/${done.uuid}/convert`)).body.run_id).toEqual(
    expect.any(String),
  );
});

test('a product shows its picture and manifest, and its cache', async () => {
  const key = '.versions/x/manifest.json';
  const manifest = { store: 'out', key, size: 2, digest: 'd'.repeat(64) } as const;
  const product = {
    manifest,
    kind: 'idx',
    entry: 'visus.idx',
    bytes: 1,
    files: 1,
    preview: 'p.png',
    pictures: { x: 'x.png', strip: 's.png', histogram: 'h.png', counts: 'h.json' },
    checked: 1,
    blocks: 1,
  };
  const { uuid } = await putRows(at.store, { status: 'done', sluice: { ...mark, status: 'done', product } });
  const { out } = at.config.dirs;
  await mkdir(join(out, uuid), { recursive: true });
  await mkdir(join(out, '.versions/x'), { recursive: true });
  await writeFile(join(out, key), '{"version":1}');
  const url = `${at.url}/api/v1/datasets/${uuid}`;
  expect((await get(`${url}/preview`)).status).toBe(404);
  await writeFile(join(out, uuid, 'p.png'), 'png');
  const picture = await get(`${url}/preview`);
  expect([picture.status, picture.headers.get('content-type'), picture.body]).toEqual([
    200,
    'image/png',
    'png',
  ]);
  const etag = picture.headers.get('etag') ?? '';
  for (const tags of [etag, `W/${etag}`, `"other", W/${etag}`, '*'])
    expect((await get(`${url}/preview`, { 'if-none-match': tags })).status).toBe(304);
  expect((await get(`${url}/preview`, { 'if-none-match': '"other", W/"one"' })).status).toBe(200);
  for (const name of ['x.png', 's.png', 'h.png']) await writeFile(join(out, uuid, name), name);
  await writeFile(join(out, uuid, 'h.json'), '{"samples":[]}');
  expect((await get(`${url}/preview?axis=x`)).body).toBe('x.png');
  expect((await get(`${url}/preview?axis=y`)).body.detail).toBe('This product has no such picture.');
  expect((await get(`${url}/preview?axis=w`)).status).toBe(422);
  const strip = await get(`${url}/strip`);
  expect([strip.body, strip.headers.get('cache-control')]).toEqual(['s.png', 'private, no-cache']);
  expect((await get(`${url}/histogram`)).body).toEqual({ samples: [] });
  expect((await get(`${url}/histogram?format=png`)).body).toBe('h.png');
  expect((await get(url)).body.links).toMatchObject({
    strip: expect.any(String),
    histogram: expect.any(String),
  });
  expect((await get(`${url}/manifest`)).body).toEqual({ version: 1 });
  expect((await get(url)).body.product).toMatchObject({
    directory: join(out, uuid),
    manifest: join(out, uuid, 'manifest.json'),
  });
  const none = await putRows(at.store);
  expect((await get(`${at.url}/api/v1/datasets/${none.uuid}/manifest`)).status).toBe(404);
});

test('a job shows its last hundred changes', async () => {
  const { uuid, jobId } = await putRows(at.store);
  const entity = `upload:${jobId}`;
  const start = Date.UTC(2026, 0, 1);
  const rows = Array.from({ length: 103 }, (_, revision) => ({
    _id: `${entity}/r/${revision}`,
    entity,
    dataset_uuid: uuid,
    runId: 'r',
    revision,
    from: revision === 0 ? null : 'uploading',
    to: revision === 102 ? 'failed' : 'paused',
    at: new Date(start + revision * 1000),
    actor: 'ada@example.org',
    reason: revision === 102 ? 'No TIFF.' : null,
  }));
  await at.store.history.insertMany(rows);
  await at.store.history.insertOne({ ...(rows[0] as (typeof rows)[0]), _id: 'x', entity: `dataset:${uuid}` });
  const { logs } = (await get(`${at.url}/api/v1/jobs/${jobId}`)).body;
  expect(logs).toHaveLength(100);
  expect(logs[0]).toEqual({
    timestamp: '2026-01-01T00:00:03.000Z',
    message: 'uploading → paused (ada@example.org)',
  });
  expect(logs[99]).toEqual({
    timestamp: '2026-01-01T00:01:42.000Z',
    message: 'uploading → failed: No TIFF. (ada@example.org)',
  });
  expect((await get(`${at.url}/api/v1/uploads/${jobId}`)).body.logs).toEqual(logs);
});

test('the logs of a job are told from their end', async () => {
  const { uuid, jobId } = await putRows(at.store);
  const url = `${at.url}/api/v1/jobs/${jobId}/logs`;
  expect(await get(url)).toMatchObject({ status: 200, body: '' });
  const directory = join(at.config.home, 'joblogs', uuid);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'validate.log'), 'equal\n');
  await writeFile(join(directory, 'convert.log'), 'slab 1\nslab 2\n');
  expect((await get(url)).body).toBe('==> convert.log <==\nslab 1\nslab 2\n\n==> validate.log <==\nequal\n');
  expect((await get(`${url}?tail=13`)).body).toBe(
    '==> convert.log <==\nslab 2\n\n==> validate.log <==\nequal\n',
  );
});

test('initiate fetches URLs and says what it does not do', async () => {
  const shared = {
    user_email: 'ada@example.org',
    dataset_name: 'B',
    sensor: 'TIFF',
    folder: null,
    team_uuid: null,
    extra: 1,
  };
  const start = (source_type: string, source_config: unknown, more = {}) =>
    post(`${at.url}/api/upload/initiate`, { ...shared, source_type, source_config, ...more });
  const good = await start('url', { url: 'https://example.org/a.tif' });
  expect(good.status).toBe(200);
  expect(good.body).toMatchObject({ status: 'queued', estimated_duration: 180, upload_type: 'standard' });
  const local = await start('local', {});
  expect([local.status, local.body.detail]).toEqual([
    400,
    expect.stringContaining('/api/upload/local/upload'),
  ]);
  const later = await start('dropbox', {});
  expect([later.status, later.body.detail[0].loc]).toEqual([422, ['body', 'source_type']]);
  expect((await start('url', {})).body.detail[0].loc).toEqual(['body', 'source_config', 'url']);
  expect((await start('url', { url: 'http://127.0.0.1/x' })).status).toBe(403);
  expect((await start('url', { url: 'https://e.org/' }, { convert: 'odd' })).status).toBe(422);
  expect((await start('url', { url: 'https://e.org/' }, { user_email: 'x' })).body.detail[0].loc).toEqual([
    'body',
    'user_email',
  ]);
  const sources = (await get(`${at.url}/api/upload/supported-sources`)).body;
  expect(sources.source_types).toEqual(expect.arrayContaining(['local', 'url', 's3']));
  const known = ['IDX', 'TIFF', 'TIFF RGB', 'NETCDF', 'HDF5', '4D_NEXUS', 'RGB', 'MAPIR', 'OTHER'];
  expect([sources.sensor_types, sources.convertible_sensor_types]).toEqual([known, known]);
  expect(sources.required_parameters).toMatchObject({ local: ['file'], url: ['url'] });
});

test('the docs page needs nothing from elsewhere', async () => {
  const page = await get(`${at.url}/docs`);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  const links = [...String(page.body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) expect([link, (await get(`${at.url}${link}`)).status]).toEqual([link, 200]);
  expect((await get(`${at.url}/docs/package.json`)).status).toBe(404);
});
