// The key ring belongs to the installation: a host with another one does not start, wherever it has it from.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { startApi } from '../../src/api/serve.js';
import type { Config } from '../../src/config/config.js';
import { COLLECTIONS } from '../../src/contracts/documents.js';
import { openVault } from '../../src/secrets/vault.js';
import { type Harness, startHarness } from './support/harness.js';
import { post } from './support/http.js';
import { putRows } from './support/rows.js';

let at: Harness;
let other: string;
beforeAll(async () => {
  at = await startHarness('keys');
  other = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
});
afterAll(async () => {
  await at.close();
  await rm(other, { recursive: true, force: true });
});

const start = async (change: Partial<Config>): Promise<void> =>
  (await startApi({ ...at.config, ...change }, pino({ level: 'silent' }))).stop();
const ring = (home: string): string => join(home, 'keys.json');

test('a second host without the keys does not start, and makes none of its own', async () => {
  await expect(start({ home: other })).rejects.toMatchObject({ code: 'foreign_keys' });
  expect(existsSync(ring(other))).toBe(false);
});

test('with the same keys it starts; with a key more, that one is known too', async () => {
  await cp(ring(at.config.home), ring(other));
  await start({ home: other });
  const { current, keys } = JSON.parse(await readFile(ring(other), 'utf8'));
  const more = { ...keys, newer: Buffer.alloc(32, 7).toString('base64') };
  await writeFile(ring(other), JSON.stringify({ current: 'newer', keys: more }));
  await start({ home: other });
  const marks = await at.store.db.collection<{ _id: string }>(COLLECTIONS.keys).findOne({ _id: 'keys' });
  expect(Object.keys((marks as unknown as { marks: object }).marks).sort()).toEqual(
    [current, 'newer'].sort(),
  );
  expect(JSON.stringify(marks)).not.toContain(more.newer);
});

test('other keys are refused, also under a known id, unless they are said to be meant', async () => {
  const { current } = JSON.parse(await readFile(ring(at.config.home), 'utf8'));
  for (const id of ['foreign', current as string]) {
    const keys = { [id]: Buffer.alloc(32, 9).toString('base64') };
    await writeFile(ring(other), JSON.stringify({ current: id, keys }));
    await expect(start({ home: other })).rejects.toMatchObject({ code: 'foreign_keys' });
  }
  await start({ home: other, newKeys: true });
  await start({ home: other });
  await expect(start({})).rejects.toMatchObject({ code: 'foreign_keys' });
});

test('a retry may bring new credentials of its source, and nothing else of it', async () => {
  await rm(ring(at.config.home));
  await at.store.db.collection(COLLECTIONS.keys).deleteMany({});
  await at.restart({ urlAllow: ['127.0.0.1'] });
  const source = { kind: 'url', url: 'http://127.0.0.1:9/a.bin', sealed: false } as const;
  const failed = { status: 'failed', upload_status: 'failed', source_type: 'url' } as const;
  const { uuid, jobId } = await putRows(at.store, { status: 'failed' }, failed);
  const order = { jobId, source, seal: true, by: 'ada@example.org' };
  await at.store.jobs.updateOne({ job_id: jobId }, { $set: { 'parameters.order': order } });
  const retry = (url: string) =>
    post(`${at.url}/api/v1/jobs/${jobId}/retry`, { source: { type: 'url', url } });
  const other = await retry('http://ada:new@127.0.0.1:9/b.bin');
  expect([other.status, other.body.code]).toEqual([422, 'invalid_field']);
  const vault = openVault(at.config.home, at.config.dirs);
  expect(await vault.open(jobId)).toBeUndefined();
  expect((await retry('http://ada:new@127.0.0.1:9/a.bin')).status).toBe(202);
  expect(JSON.stringify(await vault.open(jobId))).toContain('new');
  const row = await at.store.jobs.findOne({ job_id: jobId });
  expect(row?.parameters).toMatchObject({ order: { source: { ...source, sealed: true } } });
  const { events } = await at.client.workflow.getHandle(`dataset:${uuid}`).fetchHistory();
  const [input] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const text = Buffer.from(input?.data ?? []).toString();
  expect(JSON.parse(text)).toMatchObject({ reason: 'retry', uploads: [{ source: { sealed: true } }] });
  expect(text).not.toContain('ada:new');
});
