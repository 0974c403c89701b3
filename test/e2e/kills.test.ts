// Any process may die at any line: SIGKILL at moments of a running ingestion, then compare everything.
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readProduct, sha256sumCheck, tiffPage, tree, volume, writeStack } from '../support/data.js';
import { postJson, sendDirectory } from '../support/send.js';
import { kill, Stack, until } from '../support/stack.js';

const MIB = 1024 * 1024;
let stack: Stack;
let web: Server;
/** Bytes that the slow server has sent, over all requests. */
let served = 0;
const big = volume(1024, 1024, 32, 11);

beforeAll(async () => {
  stack = await Stack.start({ SLUICE_URL_ALLOW: '127.0.0.1' });
  web = slowServer(tiffPage(1024, 1024 * 32, big.bytes)).listen(0, '127.0.0.1');
  await once(web, 'listening');
}, 120_000);
afterAll(async () => {
  web.close();
  await stack.close();
}, 60_000);

/** Serves a body with ranges at about 20 MiB/s a connection, so that there is time to be killed in. */
function slowServer(body: Buffer): Server {
  return createServer((request, response) => {
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = to === undefined || to === '' ? body.length : Number(to) + 1;
    response.writeHead(from === undefined ? 200 : 206, {
      'content-length': end - start,
      'accept-ranges': 'bytes',
      etag: '"v1"',
      ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${body.length}` }),
    });
    void (async () => {
      for (let at = start; at < end && !response.destroyed; at += MIB) {
        const piece = body.subarray(at, Math.min(at + MIB, end));
        served += piece.length;
        response.write(piece);
        await sleep(50);
      }
      response.end();
    })();
  });
}

const fromWeb = () =>
  postJson(`${stack.apiUrl}/api/v1/uploads`, {
    name: 'slow',
    user_email: 'ada@example.org',
    sensor: 'TIFF',
    source: { type: 'url', url: `http://127.0.0.1:${(web.address() as AddressInfo).port}/big.tif` },
  });

async function expectWhole(uuid: string, sha256: string | undefined): Promise<void> {
  await stack.settled(uuid, 'done', 120_000);
  const product = join(stack.out, uuid);
  sha256sumCheck(product);
  if (sha256 !== undefined) expect(readProduct(join(product, 'visus.idx')).sha256).toBe(sha256);
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
  expect(tree(join(stack.out, '.staging'))).toEqual([]);
}

/** Activities that were completed, by name; a finished stage must stand here once. */
const completed = (uuid: string): Promise<string[]> => completedIn(`dataset:${uuid}`);

async function completedIn(workflowId: string): Promise<string[]> {
  const { events = [] } = await stack.client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = new Map((events ?? []).map((event) => [String(event.eventId), event]));
  return (events ?? []).flatMap((event) => {
    const id = event.activityTaskCompletedEventAttributes?.scheduledEventId;
    const from = id === undefined ? undefined : scheduled.get(String(id));
    const name = from?.activityTaskScheduledEventAttributes?.activityType?.name;
    return name == null || name === 'mirror' || name === 'noteDigests' ? [] : [name];
  });
}

test('worker killed in fetch: the transfer goes on from its journal', async () => {
  served = 0;
  const sent = await fromWeb();
  expect(sent.status).toBe(201);
  await until('three quarters are there', async () => served > 48 * MIB);
  await kill(stack.worker);
  const before = served;
  await stack.startWorker();
  await expectWhole(sent.uuid, big.sha256);
  // 64 MiB in all; what was not confirmed yet is fetched again: at most 8 MiB for each of four streams.
  expect(served - before).toBeLessThan((64 - 48 + 4 * 8 + 8) * MIB);
  expect(await stack.history(`dataset:${sent.uuid}`)).toEqual([
    'uploading',
    'conversion queued',
    'converting',
    'done',
  ]);
}, 180_000);

test('pause stops a transfer within seconds and outlives the worker; resume fetches only the rest', async () => {
  served = 0;
  const sent = await fromWeb();
  const job = `${stack.apiUrl}/api/v1/jobs/${sent.job}`;
  await until('a third is there', async () => served > 24 * MIB);
  expect((await postJson(`${job}/pause`, {})).status).toBe(200);
  await until('it is paused', async () => (await stack.job(sent.job)).upload_status === 'paused', 5_000);
  const before = served;
  await kill(stack.worker);
  await stack.startWorker();
  await sleep(1_500);
  expect(served).toBe(before);
  expect(await postJson(`${job}/pause`, {})).toMatchObject({ status: 409, body: { code: 'conflict' } });
  // 202: a task went to the worker that died, so the word is brought by a signal.
  expect([200, 202]).toContain((await postJson(`${job}/resume`, {})).status);
  await expectWhole(sent.uuid, big.sha256);
  // What a pause ends is confirmed, but for what was under way to the disk.
  expect(served).toBeLessThan((64 + 8) * MIB);
}, 120_000);

/** Slabs that the journal of a running conversion holds. */
function slabsNoted(uuid: string): number {
  const staging = join(stack.out, '.staging', uuid);
  const journal = tree(staging).find((name) => name.endsWith('journal.jsonl'));
  return journal === undefined
    ? 0
    : readFileSync(join(staging, journal), 'utf8').split('\n["slab"').length - 1;
}

type Box = readonly [readonly number[], readonly number[]];
const voxels = ([low, high]: Box): number =>
  high.reduce((product, end, axis) => product * (end - (low[axis] ?? 0)), 1);

test('worker killed in convert: the conversion goes on from its last whole slab, the fetch is not repeated', async () => {
  const data = volume(1024, 1024, 96, 12);
  const sent = await sendDirectory(stack.apiUrl, writeStack(join(stack.home, 'stack'), data));
  await until('a slab is whole', async () => slabsNoted(sent.uuid) > 0, 60_000, 2);
  await kill(stack.worker);
  const before = slabsNoted(sent.uuid);
  await stack.startWorker();
  await expectWhole(sent.uuid, data.sha256);
  const product = join(stack.out, sent.uuid);
  const record = JSON.parse(readFileSync(join(product, 'sluice/conversion.json'), 'utf8'));
  expect(record.result.resumed).toMatchObject({ slabs: before, of: 6 });
  const { blocks } = JSON.parse(readFileSync(join(product, 'sluice/proof.json'), 'utf8'));
  expect(blocks.reduce((sum: number, { box }: { box: Box }) => sum + voxels(box), 0)).toBe(
    data.bytes.length / 2,
  );
  const log = readFileSync(join(stack.home, 'joblogs', sent.uuid, 'convert.log'), 'utf8');
  expect(log).toContain(`goes on: ${before} of 6 slabs`);
  expect(await completed(sent.uuid)).toEqual(['convertDataset', 'validateProduct', 'publishProduct']);
  expect(await completedIn(`upload:${sent.job}`)).toEqual(['fetchSource']);
}, 180_000);

/** Names in a directory; none when it is not there. */
const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);

test.each([
  ['the version appears', (uuid: string) => tree(join(stack.out, '.versions', uuid)).length > 0],
  ['the link appears', (uuid: string) => tree(join(stack.out, uuid)).length > 0],
  [
    'the crate appears',
    (uuid: string) =>
      namesIn(join(stack.out, '.staging', uuid)).some((name) =>
        existsSync(join(stack.out, '.staging', uuid, name, 'ro-crate-metadata.json')),
      ) || namesIn(join(stack.out, '.versions', uuid)).length > 0,
  ],
])(
  'worker killed between the steps of publish, when %s',
  async (moment, reached) => {
    const directory = join(stack.home, `many ${moment}`);
    mkdirSync(directory);
    const texts = Array.from({ length: 1_000 }, (_, i) => [`${i}.txt`, `file ${i} ${moment}`] as const);
    for (const [name, text] of texts) writeFileSync(join(directory, name), text);
    const sent = await sendDirectory(stack.apiUrl, directory, { sensor: 'OTHER' });
    await until(moment, async () => reached(sent.uuid), 60_000, 1);
    await kill(stack.worker);
    await stack.startWorker();
    await expectWhole(sent.uuid, undefined);
    const product = join(stack.out, sent.uuid);
    expect(tree(product).filter((name) => name.endsWith('.txt')).length).toBe(1_001);
    const found = texts.map(([name]) => [name, readFileSync(join(product, name), 'utf8')]);
    expect(found).toEqual(texts);
    expect(await completed(sent.uuid)).toEqual(['convertDataset', 'validateProduct', 'publishProduct']);
  },
  180_000,
);

test('MongoDB stopped for 20 s in a run: stages go on, nothing fails, the history is whole', async () => {
  const sent = await fromWeb();
  await sleep(500);
  await stack.mongo.daemon.stop(10_000);
  const refused = await fetch(`${stack.apiUrl}/api/v1/uploads`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'x',
      user_email: 'ada@example.org',
      sensor: 'TIFF',
      source: { type: 'url', url: 'http://127.0.0.1/' },
    }),
  });
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBeTruthy();
  await sleep(20_000);
  await stack.startMongo();
  await expectWhole(sent.uuid, big.sha256);
  expect(await stack.history(`dataset:${sent.uuid}`)).toEqual([
    'uploading',
    'conversion queued',
    'converting',
    'done',
  ]);
}, 180_000);

test('Temporal killed and restarted in a run: the same attempt goes on', async () => {
  const sent = await fromWeb();
  await sleep(700);
  stack.temporal.daemon.kill();
  await sleep(1_000);
  await stack.startTemporal();
  await expectWhole(sent.uuid, big.sha256);
}, 180_000);

test('API killed in a multipart upload: the job fails within 30 s as upload_interrupted, leftovers gone', async () => {
  const before = await stack.store.jobs.countDocuments();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const part = (name: string, value: string) =>
        `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
      const head = part('name', 'cut') + part('user_email', 'ada@example.org') + part('sensor', 'OTHER');
      controller.enqueue(
        Buffer.from(`${head}--b\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n`),
      );
      for (let i = 0; i < 4_000; i += 1) {
        controller.enqueue(Buffer.alloc(64 * 1024, i));
        await sleep(20);
      }
    },
  });
  const options = {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    body,
    duplex: 'half',
  };
  const sending = fetch(`${stack.apiUrl}/api/v1/uploads`, options as RequestInit).catch(() => 'cut');
  await until('the job is there', async () => (await stack.store.jobs.countDocuments()) > before);
  await sleep(500);
  await kill(stack.api);
  const killed = Date.now();
  expect(await sending).toBe('cut');
  await stack.startApi();
  const job = await stack.store.jobs.findOne({}, { sort: { created_at: -1 } });
  await until(
    'the job failed',
    async () => (await stack.job(job?.job_id ?? '')).upload_status === 'failed',
    40_000,
  );
  expect(Date.now() - killed).toBeLessThan(30_000);
  expect((await stack.job(job?.job_id ?? '')).sluice.failure?.code).toBe('upload_interrupted');
  await until('leftovers are gone', async () => tree(join(stack.in, '.staging')).length === 0);
  await stack.settled(job?.dataset_uuid ?? '', 'failed');
}, 120_000);

test('worker told to stop in mid-run ends cleanly, and the next one goes on', async () => {
  const sent = await fromWeb();
  await sleep(1_000);
  const { worker } = stack;
  const gone = new Promise((resolve) => worker?.once('exit', (code) => resolve(code)));
  worker?.kill('SIGTERM');
  expect(await gone).toBe(0);
  await stack.startWorker();
  await expectWhole(sent.uuid, big.sha256);
}, 120_000);
