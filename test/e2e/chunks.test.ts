// Uploads in chunks on a whole Sluice whose API and worker are killed again and again: the file ends up whole.
import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, begin, type ChunkAnswer, sendChunk, sha256, shared } from '../support/chunks.js';
import { sha256Of, tree } from '../support/data.js';
import { seeded } from '../support/seeded.js';
import { kill, Stack, until } from '../support/stack.js';

const MIB = 1024 * 1024;
const CHUNK = 8 * MIB;
const STREAMS = 4;
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const [KILLS, CHUNKS] = SOAK ? [20, 128] : [3, 8];
const LIMIT_MS = SOAK ? 1_800_000 : 240_000;

let stack: Stack;
let client: Client | undefined;
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_CHUNK_BYTES: String(CHUNK), SLUICE_QUIET_MS: '300' });
}, 120_000);
afterAll(async () => {
  if (client !== undefined) client.stopped = true;
  await stack.close();
}, 60_000);

/** The same bytes at every call, without holding the file. */
function chunk(index: number, size = CHUNK): Buffer {
  const key = createHash('sha256').update(`chunk ${index}`).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(size));
}

/** What one of many tries brought; nothing when the connection broke or the server is away. */
const tried = (work: () => Promise<ChunkAnswer>): Promise<ChunkAnswer | undefined> =>
  work().catch(() => undefined);

class Client {
  /** Chunks that were begun. */
  begun = 0;
  /** Times that a chunk was sent to a server that was there. */
  sent = 0;
  /** Whether one is there. */
  hasServer = true;
  /** The test has ended, however it did. */
  stopped = false;
  readonly #id: string;

  constructor(id: string) {
    this.#id = id;
  }

  /** Everything that is missing, by several streams; each chunk again until it is there. */
  async sendAll(): Promise<void> {
    const answer = await this.#until(() => ask('GET', this.#url('resume')));
    const missing = answer.body.missing_chunks as number[];
    const stream = async (): Promise<void> => {
      for (let index = missing.shift(); index !== undefined; index = missing.shift()) await this.#send(index);
    };
    await Promise.all(Array.from({ length: STREAMS }, stream));
  }

  async complete(): Promise<ChunkAnswer> {
    return await this.#until(() => ask('POST', this.#url('complete')));
  }

  async #send(index: number): Promise<void> {
    const bytes = chunk(index);
    this.begun += 1;
    await this.#until(async () => {
      if (this.hasServer) this.sent += 1;
      return await sendChunk(stack.apiUrl, this.#id, index, bytes);
    });
  }

  #url(way: string): string {
    return `${stack.apiUrl}/api/upload/large/${way}/${this.#id}`;
  }

  async #until(work: () => Promise<ChunkAnswer>): Promise<ChunkAnswer> {
    for (;;) {
      if (this.stopped) throw new Error('stopped');
      const answer = await tried(work);
      if (answer?.status === 200) return answer;
      if (answer !== undefined && answer.status < 423) {
        throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
      }
      await sleep(this.hasServer ? 100 : 500);
    }
  }
}

test(
  `API and worker killed ${KILLS} times while ${CHUNKS} chunks come: whole in the end, at most the open chunks twice`,
  async () => {
    const whole = createHash('sha256');
    for (let index = 0; index < CHUNKS; index++) whole.update(chunk(index));
    const digest = whole.digest('hex');
    const begun = await ask('POST', `${stack.apiUrl}/api/upload/large/initiate`, {
      ...shared,
      filename: 'large.bin',
      file_size: CHUNKS * CHUNK,
      file_hash: digest,
    });
    expect([begun.status, begun.body.chunk_size]).toEqual([200, CHUNK]);
    const { upload_id: id, dataset_uuid: uuid, job_id: job } = begun.body;
    const sender = new Client(id);
    client = sender;
    const sending = sender.sendAll();
    // It is awaited at the end; a failure before that must not end the test run.
    sending.catch(() => undefined);
    const random = seeded(7);
    for (let count = 1; count <= KILLS; count++) {
      const floor = Math.floor(((count - 1) * CHUNKS) / KILLS);
      await until(`chunk ${floor} was begun`, async () => sender.begun > floor, LIMIT_MS);
      await sleep(random() * 150);
      sender.hasServer = false;
      await kill(stack.api);
      if (count % 2 === 1) await kill(stack.worker);
      await stack.startApi();
      sender.hasServer = true;
      if (count % 2 === 1) await stack.startWorker();
    }
    await sending;
    // A stream that ran into the dead server sent nothing; one that was cut sent its chunk once more.
    expect(sender.sent).toBeLessThanOrEqual(CHUNKS + KILLS * STREAMS);
    const path = join(stack.in, '.staging', job, 'files/large.bin');
    expect(await sha256Of(path)).toBe(digest);
    const end = await sender.complete();
    expect(end.body).toMatchObject({ job_id: job, dataset_uuid: uuid, job_submitted: true });
    await kill(stack.api);
    await stack.startApi();
    expect((await sender.complete()).body).toEqual(end.body);

    await stack.settled(uuid, 'done', LIMIT_MS);
    expect(await sha256Of(join(stack.out, uuid, 'large.bin'))).toBe(digest);
    await until('leftovers are gone', async () => tree(join(stack.in, '.staging')).length === 0);
    const status = await ask('GET', `${stack.apiUrl}/api/upload/status/${id}`);
    expect(status.body).toMatchObject({ status: 'completed', progress_percentage: 100 });
  },
  LIMIT_MS,
);

test('a cancelled upload leaves nothing, whatever comes late', async () => {
  const bytes = chunk(0, MIB);
  const begun = await ask('POST', `${stack.apiUrl}/api/upload/large/initiate`, {
    ...shared,
    filename: 'small.bin',
    file_size: 2 * CHUNK,
    file_hash: sha256(bytes),
  });
  const { upload_id: id, dataset_uuid: uuid } = begun.body;
  expect((await sendChunk(stack.apiUrl, id, 0, chunk(0))).status).toBe(200);
  const cancelled = await ask('DELETE', `${stack.apiUrl}/api/upload/large/cancel/${id}`);
  expect(cancelled.status).toBe(200);
  const late = await Promise.all([1, 0, 1].map((index) => sendChunk(stack.apiUrl, id, index, chunk(index))));
  expect(late.map(({ status }) => status)).toEqual([410, 410, 410]);
  await stack.settled(uuid, 'cancelled');
  await until('its bytes are gone', async () => tree(join(stack.in, '.staging')).length === 0);
  expect((await ask('DELETE', `${stack.apiUrl}/api/upload/large/cancel/${id}`)).status).toBe(404);
}, 90_000);

test('an upload whose client left half-way expires: it fails as upload_expired, and nothing of it stays', async () => {
  const hasty = await stack.startSecondApi({ SLUICE_CHUNK_EXPIRY_MS: '2500' });
  const bytes = Buffer.concat([chunk(0), chunk(1)]);
  const { upload_id: id, job_id: job, dataset_uuid: uuid } = (await begin(hasty, bytes)).body;
  expect((await sendChunk(hasty, id, 1, chunk(1))).status).toBe(200);
  expect(tree(join(stack.in, '.staging', job)).length).toBeGreaterThan(0);
  const row = await stack.settled(uuid, 'failed');
  expect(row.sluice.failure).toMatchObject({ code: 'upload_expired', blame: 'content' });
  expect((await stack.job(job)).upload_status).toBe('failed');
  const late = await Promise.all([
    sendChunk(hasty, id, 0, chunk(0)),
    ask('POST', `${hasty}/api/upload/large/complete/${id}`),
  ]);
  expect(late.map(({ status, body }) => [status, body.code])).toEqual([
    [410, 'upload_gone'],
    [410, 'upload_gone'],
  ]);
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
}, 60_000);

test('what has no place on the disk is refused before its first chunk; a disk that fills up costs the chunk under way', async () => {
  const disk = '/tmp/sluice-chunks-disk';
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  try {
    const api = await stack.startSecondApi({ VISUS_DATASETS: disk });
    const bytes = Buffer.concat([chunk(0), chunk(1), chunk(2, CHUNK / 2)]);
    const large = await begin(api, Buffer.alloc(30 * MIB));
    expect([large.status, large.body.code]).toEqual([507, 'disk_full']);
    const { upload_id: id, job_id: job } = (await begin(api, bytes)).body;
    const send = async (index: number) =>
      (await sendChunk(api, id, index, bytes.subarray(index * CHUNK, (index + 1) * CHUNK))).status;
    expect(await send(0)).toBe(200);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(10 * MIB));
    expect(await send(1)).toBe(507);
    const there = await ask('GET', `${api}/api/upload/large/status/${id}`);
    expect(there.body.uploaded_chunks).toEqual([0]);
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    expect([await send(2), await send(1)]).toEqual([200, 200]);
    expect((await ask('POST', `${api}/api/upload/large/complete/${id}`)).status).toBe(200);
    expect(await sha256Of(join(disk, 'upload/.staging', job, 'files/a.bin'))).toBe(sha256(bytes));
  } finally {
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true, force: true });
  }
}, 60_000);
