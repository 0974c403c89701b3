// One dataset filled from every source and by every door at once, through a restart of everything in the middle.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { someBytes } from '../contract/sources/bench.js';
import { ask, begin, chunkOf, sendChunk } from '../support/chunks.js';
import { sha256sumCheck, tree } from '../support/data.js';
import { type FaultServer, startFaultServer } from '../support/fault-server.js';
import { type GoogleStandIn, startGoogle } from '../support/google-drive.js';
import { startWebDav, type WebDav, webDavRemote } from '../support/rclone-server.js';
import { PASSWORD, startRsyncDaemon, type TestServer, USER } from '../support/rsync-servers.js';
import { BUCKET, KEYS, S3Server } from '../support/s3-server.js';
import { postJson } from '../support/send.js';
import { kill, Stack, until } from '../support/stack.js';
import { create, offsetOf, send } from '../support/tus.js';

const MIB = 1024 * 1024;
const EMAIL = 'reader@survey.iam.gserviceaccount.com';
/** Slow enough that everything is under way when it is killed. */
const SLOW = MIB;

const place = mkdtempSync(join(tmpdir(), 'sluice-ways-'));
/** What the product must hold, by path. */
const wanted = new Map<string, Buffer>();
let stack: Stack;
let web: FaultServer;
let s3: S3Server;
let google: GoogleStandIn;
let rsync: TestServer;
let dav: WebDav;

beforeAll(async () => {
  mkdirSync(join(place, 'dav/set'), { recursive: true });
  [web, s3, google, rsync, dav] = await Promise.all([
    startFaultServer({ content: want('from-web.bin', 12) }),
    S3Server.start(),
    startGoogle(),
    startRsyncDaemon(join(place, 'daemon'), join(place, 'data')),
    startWebDav(join(place, 'dav')),
  ]);
  writeFileSync(join(place, 'survey.json'), google.tokens.account(EMAIL).file);
  writeFileSync(join(place, 'rclone.conf'), webDavRemote('dav', dav.port));
  stack = await Stack.start({
    SLUICE_RCLONE_CONFIG: join(place, 'rclone.conf'),
    SLUICE_CHUNK_BYTES: String(2 * MIB),
    SLUICE_URL_ALLOW: '127.0.0.1',
    SLUICE_LOCAL_ROOTS: join(place, 'root'),
    SLUICE_GOOGLE_ACCOUNTS: `survey=${join(place, 'survey.json')}`,
    SLUICE_GOOGLE_API: google.origin,
    SLUICE_GOOGLE_TOKENS: `${google.origin}/token`,
    SLUICE_QUIET_MS: '60000',
  });
}, 180_000);
afterAll(async () => {
  await stack.close();
  await Promise.all([web.close(), s3.close(), google.close(), rsync.stop(), dav.stop()]);
}, 60_000);

/** Bytes that are expected under this path in the end. */
function want(path: string, mib: number): Buffer {
  const bytes = someBytes(mib * MIB);
  wanted.set(path, bytes);
  return bytes;
}

function lay(root: string, path: string, mib: number): void {
  const to = join(place, root, path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, want(path, mib));
}

async function sources(): Promise<Record<string, object>> {
  lay('root/set', 'local/a.bin', 20);
  lay('data/set', 'rsync/a.bin', 12);
  lay('dav/set', 'rclone/a.bin', 12);
  await s3.put('set/s3/a.bin', want('s3/a.bin', 12));
  const folder = google.content.folder('set', { sharedWith: [EMAIL] });
  google.content.file('from-drive.bin', want('from-drive.bin', 12), { parent: folder.id });
  return {
    url: { type: 'url', url: `${web.origin}/from-web.bin` },
    local: { type: 'local', path: join(place, 'root/set') },
    rsync: { type: 'rsync', from: `rsync://${USER}@127.0.0.1:${rsync.port}/closed/set/`, password: PASSWORD },
    rclone: { type: 'rclone', from: 'dav:set' },
    s3: {
      type: 's3',
      bucket: BUCKET,
      prefix: 'set/',
      endpoint: s3.origin,
      access_key_id: KEYS.accessKeyId,
      secret_access_key: KEYS.secretAccessKey,
    },
    google_drive: { type: 'google_drive', id: folder.id, account: 'survey' },
  };
}

const bandwidth = (bytes: number): Promise<Response> =>
  fetch(`${stack.apiUrl}/api/v1/limits/global`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ bytes_per_second: bytes }),
  });

async function restartEverything(): Promise<void> {
  await Promise.all([kill(stack.api), kill(stack.worker)]);
  stack.temporal.daemon.kill();
  stack.mongo.daemon.kill();
  await Promise.all([stack.startTemporal(), stack.startMongo()]);
  await stack.startApi();
  await stack.startWorker();
}

/** A form with one file. */
async function form(dataset: string, name: string, bytes: Buffer, key: string): Promise<Response> {
  const body = new FormData();
  body.append('dataset', dataset);
  body.append('seal', 'false');
  body.append('file', new Blob([new Uint8Array(bytes)]), name);
  const headers = { 'idempotency-key': key };
  return await fetch(`${stack.apiUrl}/api/v1/uploads`, { method: 'POST', headers, body });
}

const putOf = (dataset: string) => ({
  url: `${stack.apiUrl}/api/v1/files/by-put.bin?dataset=${dataset}&seal=false`,
  headers: { 'idempotency-key': 'put-1' },
});

async function put(dataset: string, bytes: Buffer): Promise<Response> {
  const { url, headers } = putOf(dataset);
  for (;;) {
    const answer = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(bytes) });
    // The first try under this key died a moment ago; the server still holds it.
    if (answer.status !== 409) return answer;
    await new Promise((r) => setTimeout(r, 1_000));
  }
}

/** Sends the first half, and waits; `cut` when the connection broke. */
async function beginPut(dataset: string, bytes: Buffer): Promise<string> {
  const { url, headers } = putOf(dataset);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(bytes.subarray(0, 4 * MIB))),
  });
  const options = { method: 'PUT', headers, body, duplex: 'half' };
  return await fetch(url, options as RequestInit).then(
    (answer) => `answered ${answer.status}`,
    () => 'cut',
  );
}

test('all sources and doors at once, and everything is killed in the middle', async () => {
  const made = await postJson(`${stack.apiUrl}/api/v1/datasets`, {
    name: 'all ways',
    user_email: 'ada@example.org',
    sensor: 'OTHER',
  });
  const dataset = made.uuid;
  expect((await bandwidth(SLOW)).status).toBe(200);
  const jobs: string[] = [];
  for (const [kind, source] of Object.entries(await sources())) {
    const sent = await postJson(`${stack.apiUrl}/api/v1/uploads`, { dataset, seal: false, source });
    expect([kind, sent.status, sent.body]).toEqual([kind, 201, expect.anything()]);
    jobs.push(sent.job);
  }
  const byTus = want('by-tus.bin', 8);
  const tus = await create(stack.apiUrl, byTus.length, { dataset, seal: 'false', filename: 'by-tus.bin' });
  expect((await send(tus.url, 0, byTus.subarray(0, 3 * MIB))).status).toBe(204);
  const byChunks = want('by-chunks.bin', 7);
  const place = { filename: 'by-chunks.bin', dataset_identifier: dataset, add_to_existing: true };
  const { upload_id: chunks } = (await begin(stack.apiUrl, byChunks, place)).body as { upload_id: string };
  for (const index of [3, 0]) {
    const sent = await sendChunk(stack.apiUrl, chunks, index, chunkOf(byChunks, index, 2 * MIB));
    expect(sent.status).toBe(200);
  }
  const byPut = want('by-put.bin', 8);
  const cut = beginPut(dataset, byPut);
  await until(
    'all sources are under way, but for the one that is on this disk and may have ended',
    async () => jobs.filter((job) => tree(join(stack.in, '.staging', job)).length > 0).length >= 5,
    60_000,
  );
  expect(jobs.some((job) => tree(join(stack.in, '.staging', job)).includes('plan.json'))).toBe(false);
  await restartEverything();
  expect(await cut).toBe('cut');
  expect((await bandwidth(0)).status).toBe(200);
  const byForm = want('by-form.bin', 8);
  expect((await form(dataset, 'by-form.bin', byForm, 'form-1')).status).toBe(201);
  expect((await put(dataset, byPut)).status).toBe(201);
  const resumed = await ask('GET', `${stack.apiUrl}/api/upload/large/resume/${chunks}`);
  expect(resumed.body).toMatchObject({ missing_chunks: [1, 2], can_resume: true });
  for (const index of [2, 1]) {
    const sent = await sendChunk(stack.apiUrl, chunks, index, chunkOf(byChunks, index, 2 * MIB));
    expect(sent.status).toBe(200);
  }
  expect((await ask('POST', `${stack.apiUrl}/api/upload/large/complete/${chunks}`)).status).toBe(200);
  let answer = await send(tus.url, await offsetOf(tus.url), byTus.subarray(await offsetOf(tus.url)));
  while (answer.status === 423) {
    await new Promise((r) => setTimeout(r, 500));
    answer = await send(tus.url, await offsetOf(tus.url), byTus.subarray(await offsetOf(tus.url)));
  }
  expect(answer.status).toBe(204);
  expect((await postJson(`${stack.apiUrl}/api/v1/datasets/${dataset}/seal`, {})).status).toBeLessThan(300);
  await stack.settled(dataset, 'done', 120_000);
  const product = join(stack.out, dataset);
  sha256sumCheck(product);
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  for (const [path, bytes] of wanted) {
    expect([path, sha256(readFileSync(join(product, path)))]).toEqual([path, sha256(bytes)]);
  }
  await until('leftovers are gone', async () => tree(join(stack.in, '.staging')).length === 0);
}, 240_000);
