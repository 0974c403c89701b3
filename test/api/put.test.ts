// PUT of one file: the way of `curl -T`, digests, cut bodies, and what is left behind.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readReceived } from '../../src/bytes/receive.js';
import { someBytes } from '../contract/sources/bench.js';
import { type Harness, startHarness } from './support/harness.js';
import { type Answer, eventually, postForm } from './support/http.js';

let at: Harness;
beforeAll(async () => {
  at = await startHarness('put');
});
afterAll(async () => await at.close());

const QUERY = 'sensor=OTHER&user_email=ada@example.org';
const bytes = someBytes(3_000_000);
const hex = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const staged = (jobId: string, ...path: string[]): string =>
  join(at.config.dirs.in, '.staging', jobId, ...path);

async function put(path: string, body: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(`${at.url}/api/v1/files/${path}`, {
    method: 'PUT',
    body: new Uint8Array(body),
    headers,
  });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

test('curl -T sends a file as it is; its path is kept, its digest goes along to the proof', async () => {
  const file = join(at.config.home, 'grün +%.bin');
  await writeFile(file, bytes);
  const url = `${at.url}/api/v1/files/a%20dir/?${QUERY}`;
  const { stdout } = await promisify(execFile)('curl', ['-sS', '-m', '20', '-T', file, url]);
  const body = JSON.parse(stdout);
  expect(body).toMatchObject({ status: 'queued', files: 1, bytes: bytes.length });
  const received = await readReceived(at.config.dirs, body.job_id);
  expect(received).toEqual([{ path: 'a dir/grün +%.bin', size: bytes.length, sha256: hex(bytes) }]);
  expect(hex(await readFile(staged(body.job_id, 'files/a dir/grün +%.bin')))).toBe(hex(bytes));
  const row = await at.store.datasets.findOne({ uuid: body.dataset_uuid });
  expect(row).toMatchObject({ name: 'grün +%.bin', sensor: 'OTHER' });
});

test.each([
  ['Repr-Digest', { 'repr-digest': `sha-256=:${Buffer.from(hex(bytes), 'hex').toString('base64')}:` }],
  ['X-Content-SHA256', { 'x-content-sha256': hex(bytes).toUpperCase() }],
])('a digest in %s is compared: the right one passes, a wrong one leaves nothing', async (_name, headers) => {
  expect(await put(`d.bin?${QUERY}`, bytes, headers)).toMatchObject({ status: 201 });
  const wrong = await put(`d.bin?${QUERY}`, bytes.subarray(1), headers);
  expect(wrong).toMatchObject({ status: 422, body: { code: 'checksum_mismatch' } });
  expect(existsSync(staged(wrong.body.job_id))).toBe(false);
});

test.each([
  ['unsafe_name', 400, `%2e%2e%2fx?${QUERY}`, {}],
  ['unsafe_name', 400, `%00?${QUERY}`, {}],
  ['unsafe_name', 400, `%ff?${QUERY}`, {}],
  ['empty_file_name', 400, `?${QUERY}`, {}],
  ['invalid_field', 422, 'x?user_email=ada@example.org', {}],
  ['invalid_field', 422, `x?${QUERY}&sensr=x`, {}],
  ['invalid_field', 422, `x?${QUERY}`, { 'x-content-sha256': 'abc' }],
  ['not_found', 404, `x?dataset=${crypto.randomUUID()}`, {}],
])('%s (%i) before a byte is kept: %s', async (code, status, path, headers) => {
  const jobs = await at.store.jobs.countDocuments();
  expect(await put(path, bytes, headers as Record<string, string>)).toMatchObject({ status, body: { code } });
  expect(await at.store.jobs.countDocuments()).toBe(jobs);
});

test('an empty body is refused, and one that is longer than this server takes', async () => {
  expect(await put(`x?${QUERY}`, Buffer.alloc(0))).toMatchObject({
    status: 422,
    body: { code: 'empty_file' },
  });
  const most = at.config.limits.uploadBytes;
  const socket = connect(Number(new URL(at.url).port), '127.0.0.1');
  socket.write(
    `PUT /api/v1/files/x?${QUERY} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${most + 1}\r\n\r\n`,
  );
  const answer = await new Promise((resolve) => socket.once('data', (data) => resolve(String(data))));
  expect(answer).toMatch(/^HTTP\/1.1 413 .*payload_too_large/s);
  socket.destroy();
});

test('a cut body ends its upload as interrupted and leaves nothing; sent again under its key it comes whole', async () => {
  const key = { 'idempotency-key': 'cut-1' };
  const socket = connect(Number(new URL(at.url).port), '127.0.0.1');
  const head = `PUT /api/v1/files/cut.bin?${QUERY} HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: cut-1\r\n`;
  socket.write(`${head}Content-Length: ${bytes.length}\r\n\r\n`);
  socket.write(bytes.subarray(0, 1_000_000));
  const job = await eventually(
    () => at.store.jobs.findOne({ bytes_total: bytes.length, status: 'running', receiver: { $ne: null } }),
    (row) => row !== null && existsSync(staged(row.job_id, 'files/cut.bin')),
  );
  socket.destroy();
  await eventually(
    async () => existsSync(staged(job?.job_id ?? '')),
    (isThere) => !isThere,
  );
  // Its bytes are gone a moment before its key is free.
  const again = await eventually(
    () => put(`cut.bin?${QUERY}`, bytes, key),
    ({ status }) => status !== 409,
  );
  expect(again).toMatchObject({ status: 201, body: { dataset_uuid: job?.dataset_uuid } });
  expect(await put(`cut.bin?${QUERY}`, bytes, key)).toMatchObject({ status: 201, body: again.body });
});

test('other bytes of equal length under one key are told apart where digests are announced', async () => {
  const other = Buffer.from(bytes).reverse();
  const headers = { 'idempotency-key': 'same-1', 'x-content-sha256': hex(bytes) };
  const first = await put(`same.bin?${QUERY}`, bytes, headers);
  expect(first.status).toBe(201);
  expect((await put(`same.bin?${QUERY}`, bytes, headers)).headers.get('idempotency-replayed')).toBe('true');
  const second = { ...headers, 'x-content-sha256': hex(other) };
  expect(await put(`same.bin?${QUERY}`, other, second)).toMatchObject({
    status: 422,
    body: { code: 'idempotency_mismatch' },
  });
});

test('a form announces the digest of the file that follows, and of no other', async () => {
  const fields = Object.entries({ name: 'two', sensor: 'OTHER', user_email: 'ada@example.org' });
  const send = (digest: string) =>
    postForm(`${at.url}/api/v1/uploads`, [
      ...fields,
      ['sha256', digest],
      ['file', bytes, 'a'],
      ['file', 'other', 'b'],
    ]);
  expect((await send(hex(bytes))).status).toBe(201);
  expect(await send(hex(Buffer.from('x')))).toMatchObject({
    status: 422,
    body: { code: 'checksum_mismatch' },
  });
});
