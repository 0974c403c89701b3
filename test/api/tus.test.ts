// tus 1.0, header by header: where to go on, what is refused, who may write, and that no byte is lost or taken twice.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type RunningApi, startApi } from '../../src/api/serve.js';
import { readReceived } from '../../src/bytes/receive.js';
import { someBytes } from '../contract/sources/bench.js';
import {
  ask,
  type Begun,
  beginPart,
  create,
  metadata,
  NATIVE,
  offsetOf,
  PART,
  send,
} from '../support/tus.js';
import { type Harness, startHarness } from './support/harness.js';
import { eventually } from './support/http.js';

let at: Harness;
/** A second process behind the same balancer. */
let other: RunningApi;
beforeAll(async () => {
  at = await startHarness('tus');
  other = await startApi(at.config, pino({ level: 'silent' }));
});
afterAll(async () => {
  await other.stop();
  await at.close();
});

const bytes = someBytes(2_000_000);
const digest = (data: Buffer, algorithm = 'sha256', form: 'hex' | 'base64' = 'hex'): string =>
  createHash(algorithm).update(data).digest(form);
const begin = (name = 'a.bin', more: Record<string, string> = {}): Promise<Begun> =>
  create(at.url, bytes.length, { ...NATIVE, filename: name, ...more });
const staged = (jobId: string, path: string): string =>
  join(at.config.dirs.in, '.staging', jobId, 'files', path);

async function expectWhole(jobId: string, path = 'a.bin'): Promise<void> {
  const [file] = (await readReceived(at.config.dirs, jobId)) ?? [];
  expect(file).toMatchObject({ path, size: bytes.length });
  expect(digest(readFileSync(staged(jobId, path)))).toBe(digest(bytes));
  const row = await at.store.jobs.findOne({ job_id: jobId });
  expect(row?.parameters['order']).toMatchObject({
    source: { kind: 'received', files: 1, bytes: bytes.length },
  });
}

test('a server says what it speaks; other versions are told so', async () => {
  const answer = await ask('OPTIONS', `${at.url}/files`);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'tus-version': '1.0.0',
    'tus-extension': expect.stringContaining('checksum'),
    'tus-checksum-algorithm': 'sha256,sha1,md5',
  });
  const old = await ask('POST', `${at.url}/files`, { 'tus-resumable': '0.2.2', 'upload-length': '5' });
  expect([old.status, old.headers.get('tus-version')]).toEqual([412, '1.0.0']);
});

test.each([
  [422, 'invalid_field', { 'upload-length': '-1' }],
  [422, 'invalid_field', {}],
  [413, 'payload_too_large', { 'upload-length': `${2 ** 50}` }],
  [422, 'empty_file', { 'upload-length': '0' }],
  [422, 'invalid_field', { 'upload-length': '5', 'upload-metadata': 'filename not,base64' }],
  [
    400,
    'empty_file_name',
    { 'upload-length': '5', 'upload-metadata': metadata(NATIVE).replace(/name [^,]+,/, '') },
  ],
  [
    400,
    'unsafe_name',
    { 'upload-length': '5', 'upload-metadata': metadata({ ...NATIVE, filename: '../x' }) },
  ],
  [422, 'invalid_field', { 'upload-length': '5', 'upload-concat': 'partial' }],
])('a creation is refused with %i %s and leaves nothing: %j', async (status, code, headers) => {
  const jobs = await at.store.jobs.countDocuments();
  const usual = { 'upload-metadata': metadata({ ...NATIVE, filename: 'x' }) };
  const answer = await ask('POST', `${at.url}/files`, { ...usual, ...headers });
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
  expect(answer.headers.get('tus-resumable')).toBe('1.0.0');
  expect(await at.store.jobs.countDocuments()).toBe(jobs);
});

test('a connection cut at every tenth of the way: HEAD tells where to go on, and the file is whole', async () => {
  const { url, jobId } = await begin();
  let offset = 0;
  for (let tenth = 1; tenth < 10; tenth += 1) {
    const to = Math.floor((bytes.length * tenth) / 10) + tenth;
    const socket = await beginPart(url, offset, bytes.length - offset, bytes.subarray(offset, to));
    await eventually(
      () => offsetOf(url),
      (seen) => seen === to,
    );
    socket.destroy();
    offset = to;
    await eventually(
      () => send(url, to + 1, Buffer.from('x')),
      ({ status }) => status === 409,
    );
  }
  expect((await send(url, offset, bytes.subarray(offset))).headers.get('upload-offset')).toBe(
    `${bytes.length}`,
  );
  await expectWhole(jobId);
  // The answer to the last part may be lost; asking again tells that all is there.
  expect(await offsetOf(url)).toBe(bytes.length);
  expect((await send(url, bytes.length, Buffer.alloc(0))).status).toBe(204);
}, 60_000);

test('a part with a wrong checksum is dropped whole, by every algorithm; with the right one it stays', async () => {
  const { url, jobId } = await begin();
  const cuts = [0, 600_000, 1_200_000, bytes.length];
  for (const [index, algorithm] of ['sha1', 'sha256', 'md5'].entries()) {
    const from = cuts[index] ?? 0;
    const part = bytes.subarray(from, cuts[index + 1]);
    const wrong = { 'upload-checksum': `${algorithm} ${digest(Buffer.from('x'), algorithm, 'base64')}` };
    const answer = await send(url, from, part, wrong);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([460, 'part_mismatch']);
    expect(await offsetOf(url)).toBe(from);
    const right = { 'upload-checksum': `${algorithm} ${digest(part, algorithm, 'base64')}` };
    expect((await send(url, from, part, right)).status).toBe(204);
  }
  await expectWhole(jobId);
  const unknown = await send(url, bytes.length, bytes, { 'upload-checksum': 'crc9 AAAA' });
  expect([unknown.status, JSON.parse(unknown.body).code]).toEqual([422, 'invalid_field']);
}, 60_000);

test('a wrong offset, too many bytes, another type and an unknown upload are refused, and change nothing', async () => {
  const { url } = await begin();
  expect((await send(url, 0, bytes.subarray(0, 1_000))).status).toBe(204);
  const refused = [
    await send(url, 0, bytes.subarray(0, 1_000)),
    await send(url, 1_000, bytes),
    await send(url, 1_000, bytes.subarray(0, 10), { 'content-type': 'text/plain' }),
    await ask('PATCH', url, PART, bytes.subarray(0, 10)),
    await send(`${at.url}/files/upload_1_00000000`, 0, bytes),
  ];
  expect(refused.map(({ status, body }) => [status, JSON.parse(body).code])).toEqual([
    [409, 'wrong_offset'],
    [413, 'payload_too_large'],
    [415, 'unsupported_media_type'],
    [422, 'invalid_field'],
    [404, 'not_found'],
  ]);
  expect(await offsetOf(url)).toBe(1_000);
});

test('while one client sends, another is told to wait, in this process and in the other; a silent one gives way', async () => {
  const { url, jobId } = await begin();
  const socket = await beginPart(url, 0, bytes.length, bytes.subarray(0, 500_000));
  await eventually(
    () => offsetOf(url),
    (seen) => seen === 500_000,
  );
  const elsewhere = url.replace(at.url, other.url);
  socket.write(bytes.subarray(500_000, 500_001));
  const waits = await Promise.all([url, elsewhere].map((one) => send(one, 500_001, bytes.subarray(500_001))));
  for (const { status, headers } of waits) {
    expect(status).toBe(423);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  const taken = await eventually(
    () => send(url, 500_001, bytes.subarray(500_001)),
    ({ status }) => status !== 423,
  );
  expect(taken.status).toBe(204);
  await expectWhole(jobId);
  socket.destroy();
}, 60_000);

test('two processes behind a balancer take the parts by turns', async () => {
  const { url, jobId } = await begin('turns.bin');
  const elsewhere = url.replace(at.url, other.url);
  const step = 200_000;
  for (let from = 0, turn = 0; from < bytes.length; from += step, turn += 1) {
    const one = turn % 2 === 0 ? url : elsewhere;
    const answer = await eventually(
      () => send(one, from, bytes.subarray(from, from + step)),
      ({ status }) => status !== 423,
    );
    expect(answer.status).toBe(204);
  }
  await expectWhole(jobId, 'turns.bin');
}, 60_000);

test('the digest of the whole file is compared at the last byte, and the upload ends with the difference', async () => {
  const good = await begin('good.bin', { sha256: digest(bytes) });
  expect((await send(good.url, 0, bytes)).status).toBe(204);
  await expectWhole(good.jobId, 'good.bin');
  const bad = await begin('bad.bin', { sha256: digest(Buffer.from('x')) });
  const answer = await send(bad.url, 0, bytes);
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([422, 'checksum_mismatch']);
  const row = await at.store.jobs.findOne({ job_id: bad.jobId });
  expect(row?.parameters['order']).toMatchObject({ source: { fault: { code: 'checksum_mismatch' } } });
});

test('a creation may bring bytes, tell the length later, be repeated under its key, and keep the path', async () => {
  const fields = { ...NATIVE, filename: 'b.bin', relativePath: 'dir/sub/b.bin', filetype: 'x/y' };
  const headers = {
    'upload-defer-length': '1',
    'upload-metadata': metadata(fields),
    'idempotency-key': 'tus-1',
  };
  const made = await ask('POST', `${at.url}/files`, { ...PART, ...headers }, bytes.subarray(0, 1_000));
  expect([made.status, made.headers.get('upload-offset')]).toEqual([201, '1000']);
  const url = new URL(made.headers.get('location') ?? '', at.url).href;
  const again = await ask('POST', `${at.url}/files`, headers);
  expect(again.headers.get('location')).toBe(made.headers.get('location'));
  const head = await ask('HEAD', url);
  expect(Object.fromEntries(head.headers)).toMatchObject({
    'upload-defer-length': '1',
    'upload-offset': '1000',
    'upload-metadata': metadata(fields),
    'cache-control': 'no-store',
  });
  expect(new Date(head.headers.get('upload-expires') ?? '').getTime()).toBeGreaterThan(Date.now());
  const last = await send(url, 1_000, bytes.subarray(1_000), { 'upload-length': `${bytes.length}` });
  expect(last.status).toBe(204);
  await expectWhole(JSON.parse(made.body).job_id, 'dir/sub/b.bin');
});
