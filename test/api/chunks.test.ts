// The chunk routes: any order, any process, resent freely, nothing counted that was not proven, over every restart.
import { getEventListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type RunningApi, startApi } from '../../src/api/serve.js';
import { readReceived } from '../../src/bytes/receive.js';
import { someBytes } from '../contract/sources/bench.js';
import { ask, begin, chunkOf, sendChunk, sha256 } from '../support/chunks.js';
import { deliveredOrders, type Harness, startHarness } from './support/harness.js';
import { beginForm, eventually } from './support/http.js';

const MIB = 1024 * 1024;
let at: Harness;
/** A second process on the same data. */
let other: RunningApi;
beforeAll(async () => {
  at = await startHarness('chunks');
  other = await startApi(at.config, pino({ level: 'silent' }));
});
afterAll(async () => {
  await other.stop();
  await at.close();
});

const large = (way: string, id: string): string => `${at.url}/api/upload/large/${way}/${id}`;
const status = (id: string) => ask('GET', large('status', id));
const resume = (id: string) => ask('GET', large('resume', id));
const complete = (id: string) => ask('POST', large('complete', id));
const staged = (job: string, name = 'a.bin'): Promise<Buffer> =>
  readFile(join(at.config.dirs.in, '.staging', job, 'files', name));

/** Begins an upload of 3½ chunks. */
async function begun(more: object = {}): Promise<{ id: string; job: string; uuid: string; bytes: Buffer }> {
  const bytes = someBytes(3.5 * MIB);
  const { status: code, body } = await begin(at.url, bytes, more);
  expect([code, body.total_chunks, body.chunk_size]).toEqual([200, 4, MIB]);
  return { id: body.upload_id, job: body.job_id, uuid: body.dataset_uuid, bytes };
}

test('chunks in any order, several at once, through two processes become the file, and one order', async () => {
  const { id, job, uuid, bytes } = await begun({ relative_path: 'day 1/' });
  expect(id).toMatch(/^large_upload_\d+_[0-9a-f]{8}$/);
  expect(await at.store.datasets.findOne({ uuid })).toMatchObject({ status: 'uploading' });
  expect((await resume(id)).body).toEqual({
    upload_id: id,
    missing_chunks: [0, 1, 2, 3],
    total_chunks: 4,
    can_resume: true,
  });
  const answers = await Promise.all(
    [3, 1, 2, 0].map((index) =>
      sendChunk(index % 2 === 0 ? at.url : other.url, id, index, chunkOf(bytes, index, MIB)),
    ),
  );
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
  expect(Math.max(...answers.map(({ body }) => body.uploaded_chunks))).toBe(4);
  expect((await status(id)).body).toMatchObject({ is_complete: true, uploaded_chunks: [0, 1, 2, 3] });
  expect((await resume(id)).body).toMatchObject({ missing_chunks: [], can_resume: true });

  const ends = await Promise.all([complete(id), complete(id), complete(id)]);
  for (const end of ends) {
    expect([end.status, end.body]).toEqual([
      200,
      expect.objectContaining({
        file_path: join(at.config.dirs.in, uuid, 'day 1/a.bin'),
        file_size: bytes.length,
        job_submitted: true,
        job_id: job,
        dataset_uuid: uuid,
      }),
    ]);
  }
  expect((await staged(job, 'day 1/a.bin')).equals(bytes)).toBe(true);
  expect(await readReceived(at.config.dirs, job)).toEqual([
    { path: 'day 1/a.bin', size: bytes.length, sha256: sha256(bytes) },
  ]);
  // Their client may come back for seven days.
  const expiresAfterMs = 7 * 86_400_000;
  const orders = [{ source: { kind: 'awaited', expiresAfterMs } }, { source: { kind: 'received' } }];
  expect(await deliveredOrders(at.client, uuid)).toMatchObject(orders);

  expect((await status(id)).body).toMatchObject({ is_complete: true, progress_percentage: 100 });
  expect((await resume(id)).body).toMatchObject({ can_resume: false });
  expect((await sendChunk(at.url, id, 1, chunkOf(bytes, 1, MIB))).status).toBe(200);
  const shown = await ask('GET', `${at.url}/api/upload/status/${id}`);
  expect([shown.status, shown.body.job_id, shown.body.bytes_total]).toEqual([200, job, bytes.length]);
});

test('a chunk may come again, and a session outlives the restart of its server', async () => {
  const { id, job, bytes } = await begun();
  for (const index of [0, 0, 2])
    expect((await sendChunk(at.url, id, index, chunkOf(bytes, index, MIB))).status).toBe(200);
  await at.restart();
  expect((await status(id)).body).toMatchObject({ uploaded_chunks: [0, 2], progress_percentage: 50 });
  expect((await ask('GET', `${at.url}/api/upload/status/${id}`)).body.bytes_uploaded).toBe(2 * MIB);
  for (const index of [3, 1]) await sendChunk(other.url, id, index, chunkOf(bytes, index, MIB));
  await at.restart();
  // Its client died between the last chunk and complete.
  expect((await resume(id)).body).toMatchObject({ missing_chunks: [], can_resume: true });
  expect((await complete(id)).status).toBe(200);
  expect((await staged(job)).equals(bytes)).toBe(true);
});

describe('a bad chunk is refused and not counted', () => {
  test.each<[string, number | string, (chunk: Buffer) => Buffer, string | null | undefined, number, string]>([
    ['another hash', 0, (chunk) => chunk, sha256(Buffer.from('other')), 400, 'chunk_mismatch'],
    ['a flipped bit', 0, flipped, undefined, 400, 'chunk_mismatch'],
    ['too short', 1, (chunk) => chunk.subarray(1), undefined, 400, 'chunk_length'],
    [
      'one byte too long',
      1,
      (chunk) => Buffer.concat([chunk, Buffer.alloc(1)]),
      undefined,
      400,
      'chunk_length',
    ],
    ['much too long', 1, () => someBytes(3 * MIB), undefined, 400, 'chunk_length'],
    ['empty', 1, () => Buffer.alloc(0), undefined, 400, 'chunk_length'],
    ['a full one in the place of the last', 3, () => someBytes(MIB), undefined, 400, 'chunk_length'],
    ['an index behind the last', 4, (chunk) => chunk, undefined, 400, 'chunk_index'],
    ['a negative index', '-1', (chunk) => chunk, undefined, 400, 'chunk_index'],
    ['no number', 'one', (chunk) => chunk, undefined, 400, 'chunk_index'],
    ['no hash', 0, (chunk) => chunk, null, 422, 'invalid_field'],
    ['no SHA-256', 0, (chunk) => chunk, 'abc', 422, 'invalid_field'],
  ])('%s', async (_what, index, change, hash, code, word) => {
    const { id, job, bytes } = await begun();
    const chunk = Buffer.from(chunkOf(bytes, Number(index) || 0, MIB));
    const sent = change(chunk);
    const right = word === 'chunk_mismatch' && hash === undefined ? sha256(chunk) : hash;
    const answer = await sendChunk(at.url, id, index, sent, right);
    expect([answer.status, answer.body.code]).toEqual([code, word]);
    expect((await status(id)).body.uploaded_chunks).toEqual([]);
    for (let each = 0; each < 4; each++) await sendChunk(at.url, id, each, chunkOf(bytes, each, MIB));
    expect((await complete(id)).status).toBe(200);
    expect((await staged(job)).equals(bytes)).toBe(true);
  });

  function flipped(chunk: Buffer): Buffer {
    const copy = Buffer.from(chunk);
    copy[MIB / 2] = (copy[MIB / 2] ?? 0) ^ 1;
    return copy;
  }

  test('good and bad ones of one place at the same time: only the good one counts', async () => {
    const { id, job, bytes } = await begun();
    const right = Buffer.from(chunkOf(bytes, 0, MIB));
    const answers = await Promise.all([
      sendChunk(at.url, id, 0, flipped(right), sha256(right)),
      sendChunk(other.url, id, 0, right),
      sendChunk(at.url, id, 0, flipped(right), sha256(right)),
      sendChunk(other.url, id, 0, right),
    ]);
    // After a good one is there, a bad one of its hash is not even read.
    expect(answers[1]?.status).toBe(200);
    expect(answers[3]?.status).toBe(200);
    for (const index of [1, 2, 3]) await sendChunk(at.url, id, index, chunkOf(bytes, index, MIB));
    expect((await complete(id)).status).toBe(200);
    expect((await staged(job)).equals(bytes)).toBe(true);
  });
});

describe('a client that goes away in the middle of a chunk', () => {
  const half = async (id: string) =>
    await beginForm(
      large('chunk', `${id}/0`),
      [
        ['chunk_hash', 'ab'.repeat(32)],
        ['chunk', someBytes(MIB / 2), 'chunk'],
      ],
      MIB + 300,
    );

  test('leaves nothing that counts, and the chunk can come again at once', async () => {
    const { id, bytes } = await begun();
    const socket = await half(id);
    await sleep(200);
    socket.destroy();
    expect((await sendChunk(other.url, id, 0, chunkOf(bytes, 0, MIB))).status).toBe(200);
    expect((await status(id)).body.uploaded_chunks).toEqual([0]);
  });

  test('without a word loses its hold to the next request', async () => {
    const { id, bytes } = await begun();
    const socket = await half(id);
    await eventually(
      () =>
        at.store.db
          .collection<{ _id: string }>('upload_writers')
          .findOne({ _id: { $regex: '/0$' } as never, until: { $gt: new Date() } as never }),
      (row) => row !== null,
    );
    expect((await sendChunk(other.url, id, 0, chunkOf(bytes, 0, MIB))).status).toBe(200);
    socket.destroy();
    expect((await status(id)).body.uploaded_chunks).toEqual([0]);
  }, 30_000);
});

test('complete with chunks missing lists them; with another hash of the whole it ends the upload', async () => {
  const { id, bytes } = await begun();
  await sendChunk(at.url, id, 1, chunkOf(bytes, 1, MIB));
  const early = await complete(id);
  expect([early.status, early.body.code, early.body.missing_chunks]).toEqual([
    400,
    'chunks_missing',
    [0, 2, 3],
  ]);

  const wrong = await begun({ file_hash: sha256(Buffer.from('another file')) });
  for (let each = 0; each < 4; each++)
    await sendChunk(at.url, wrong.id, each, chunkOf(wrong.bytes, each, MIB));
  const end = await complete(wrong.id);
  expect([end.status, end.body.code]).toEqual([400, 'file_mismatch']);
  const [, order] = await deliveredOrders(at.client, wrong.uuid);
  expect(order).toMatchObject({ source: { kind: 'received', fault: { code: 'checksum_mismatch' } } });
});

test('what is no upload in chunks is 404 everywhere', async () => {
  const nothing = 'large_upload_1_00000000';
  const chunk = await sendChunk(at.url, nothing, 0, Buffer.from('x'));
  const answers = [chunk, await status(nothing), await resume(nothing), await complete(nothing)];
  answers.push(await ask('DELETE', large('cancel', nothing)), await status('../../etc'));
  expect(answers.map((answer) => answer.status)).toEqual([404, 404, 404, 404, 404, 404]);
  expect(chunk.body.error).toEqual(expect.any(String));
});

test('a cancelled upload takes nothing more and leaves no directory', async () => {
  const { id, bytes } = await begun();
  await sendChunk(at.url, id, 0, chunkOf(bytes, 0, MIB));
  const answer = await ask('DELETE', large('cancel', id));
  expect([answer.status, answer.body.message]).toEqual([200, expect.stringContaining('cancelled')]);
  const late = await sendChunk(other.url, id, 1, chunkOf(bytes, 1, MIB));
  expect([late.status, late.body.code]).toEqual([410, 'upload_gone']);
  expect((await complete(id)).status).toBe(410);
  expect((await resume(id)).body.can_resume).toBe(false);
});

test.each<[string, object, number, string]>([
  ['no bytes', { file_size: 0 }, 422, 'invalid_field'],
  ['half a byte', { file_size: 1.5 }, 422, 'invalid_field'],
  ['more than the server takes', { file_size: 2 ** 31 }, 413, 'payload_too_large'],
  ['a hash of another kind', { file_hash: 'abc' }, 422, 'invalid_field'],
  ['no name', { filename: '' }, 422, 'invalid_field'],
  ['a name that climbs', { filename: '../a.bin' }, 400, 'unsafe_name'],
  ['a name with a NUL', { filename: 'a\0.bin' }, 400, 'unsafe_name'],
  ['a directory that climbs', { relative_path: '../..' }, 400, 'unsafe_name'],
  ['no sensor', { sensor: 'X-RAY' }, 422, 'unknown_sensor'],
  ['a dataset that is not there', { dataset_identifier: 'none', add_to_existing: true }, 404, 'not_found'],
])('an upload of %s is refused before anything is recorded', async (_what, more, code, word) => {
  const before = await at.store.jobs.countDocuments({});
  const answer = await begin(at.url, Buffer.from('x'), more);
  expect([answer.status, answer.body.code]).toEqual([code, word]);
  expect(await at.store.jobs.countDocuments({})).toBe(before);
});

test('several large files go into one dataset', async () => {
  const uuid = crypto.randomUUID();
  const all = await Promise.all(
    ['left', 'right'].map((folder) => begun({ dataset_identifier: uuid, folder })),
  );
  expect(all.map((one) => one.uuid)).toEqual([uuid, uuid]);
  expect(await deliveredOrders(at.client, uuid)).toMatchObject([{ seal: false }, { seal: false }]);
});

test('a request that is over, whole or refused, is not kept by what tells the end of the server', async () => {
  const listening = (): number => getEventListeners(at.api.deps.closing, 'abort').length;
  const { id, bytes } = await begun();
  const before = listening();
  for (const index of [0, 1, 1, 2]) await sendChunk(at.url, id, index, chunkOf(bytes, index, MIB));
  await sendChunk(at.url, id, 3, chunkOf(bytes, 3, MIB), sha256(bytes));
  expect(
    await eventually(
      async () => listening(),
      (count) => count <= before,
    ),
  ).toBeLessThanOrEqual(before);
});
