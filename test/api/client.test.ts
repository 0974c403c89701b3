// The client against the API: a streamed form of known length, progress, refusals, cancelling.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient, type SluiceClient } from '../../src/client/client.js';
import { type Harness, startHarness } from './support/harness.js';
import { eventually } from './support/http.js';
import { FIELDS } from './support/rows.js';

let at: Harness;
let client: SluiceClient;
beforeAll(async () => {
  at = await startHarness('client');
  client = createClient(`${at.url}/`);
});
afterAll(async () => {
  await client.close();
  await at.close();
});

const fields = { name: 'Brain', sensor: 'TIFF', user_email: 'ada@example.org' };
const file = (name: string, ...chunks: string[]) => ({
  name,
  size: Buffer.byteLength(chunks.join('')),
  async *open() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  },
});

test('files are streamed with their length, and progress ends at the total', async () => {
  const seen: number[][] = [];
  const files = [file('a.tif', 'hello', ' you'), file('ü/b "x".tif', 'second')];
  const answer = await client.uploads.sendFiles(files, fields, {
    onProgress: (sent, total) => seen.push([sent, total]),
  });
  expect(answer).toMatchObject({ files: 2, bytes: 15, status: 'queued' });
  expect(seen).toEqual([
    [5, 15],
    [9, 15],
    [15, 15],
  ]);
  const staged = join(at.config.dirs.in, '.staging', answer.job_id, 'files');
  expect(await readFile(join(staged, 'ü/b "x".tif'), 'utf8')).toBe('second');
  const job = await client.jobs.get(answer.job_id);
  expect(job.dataset_uuid).toBe(answer.dataset_uuid);
  expect((await client.uploads.list({ dataset: answer.dataset_uuid })).jobs).toHaveLength(1);
  expect(await client.jobs.logs(answer.job_id)).toBe('');
  expect((await client.datasets.history(answer.dataset_uuid)).history).toHaveLength(2);
});

test('refusals carry the code and the remedy', async () => {
  const refused = client.uploads.sendFiles([file('../a', 'x')], fields);
  await expect(refused).rejects.toMatchObject({
    name: 'ApiError',
    status: 400,
    code: 'unsafe_name',
    remedy: 'Rename the file.',
  });
  await expect(client.datasets.get(crypto.randomUUID())).rejects.toMatchObject({ status: 404 });
});

test('a file that shrinks while it is sent is not sent', async () => {
  const shrunk = { ...file('a.tif', 'x'), size: 10 };
  await expect(client.uploads.sendFiles([shrunk], fields)).rejects.toThrow();
});

test('sending can be cancelled', async () => {
  const stop = new AbortController();
  const endless = {
    name: 'a.tif',
    size: 5e7,
    async *open() {
      for (let i = 0; i < 1000; i++) {
        yield Buffer.alloc(1000);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
  const sending = client.uploads.sendFiles([endless], fields, { signal: stop.signal });
  sending.catch(() => undefined);
  const job = await eventually(
    () => at.store.jobs.findOne({ bytes_total: { $gt: 4e7 } }),
    (row) => row !== null,
  );
  stop.abort();
  await expect(sending).rejects.toThrow();
  await eventually(
    () => at.store.jobs.findOne({ job_id: job?.job_id ?? '' }),
    (row) => row?.receiver === null,
  );
});

test('datasets, sources and health', async () => {
  const made = await client.datasets.create(FIELDS, 'key-1');
  expect((await client.datasets.create(FIELDS, 'key-1')).uuid).toBe(made.uuid);
  const started = await client.uploads.start({
    dataset: made.uuid,
    source: { type: 'url', url: 'https://example.org/x' },
  });
  expect((await client.datasets.get(made.uuid)).uploads).toMatchObject([{ job_id: started.job_id }]);
  expect((await client.datasets.list({ name: 'brain', limit: 1 })).datasets).toHaveLength(1);
  expect(await client.health.alive()).toBe(true);
  expect((await client.health.ready()).checks.worker).toBe(false);
  const nobody = createClient('http://127.0.0.1:1');
  expect(await nobody.health.alive()).toBe(false);
});
