// The keeper's rounds on a real database and disk, and the lines of the worker's log.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Engine } from '../../src/api/engine.js';
import type { JobChange, JobOrder } from '../../src/contracts/verification.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { insertVerification, writeJobChange } from '../../src/store/verifications.js';
import { KEPT_MS, removeAged } from '../../src/workers/ageing.js';
import { createInterrupted, createTerminated } from '../../src/workers/keeper.js';
import { createWorkerLog, sdkLogger } from '../../src/workers/log.js';
import { createLostJobs } from '../../src/workers/lost-jobs.js';
import { required } from '../api/support/harness.js';
import { putRows } from '../api/support/rows.js';

let store: Store;
let dir: string;
beforeAll(async () => {
  store = openStore(required('SLUICE_TEST_MONGO'), `keeping_${randomBytes(3).toString('hex')}`);
  dir = await mkdtemp(join(tmpdir(), 'sluice-keeping-'));
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.client.close();
  await rm(dir, { recursive: true, force: true });
});
const log = (): void => undefined;

test('an upload that cannot be delivered keeps no younger one waiting', async () => {
  const expired = (ms: number) => ({ receiver: { id: 'gone', until: new Date(ms), seal: true } });
  const bad = await putRows(store, {}, expired(1));
  const good = await putRows(store, {}, expired(2));
  const delivered: string[] = [];
  const engine = {
    deliver: async (_input: unknown, { jobId }: { jobId: string }) => {
      if (jobId === bad.jobId) throw new Error('refused');
      delivered.push(jobId);
    },
  } as unknown as Engine;
  const round = createInterrupted({
    roots: { in: '/nowhere', out: '/nowhere' },
    store,
    engine,
    quietMs: 1,
    log,
  });
  await round();
  expect(delivered).toEqual([]);
  await round();
  expect(delivered).toEqual([good.jobId]);
});

test('a dataset whose API died before its upload was recorded becomes an error; one with an upload waits', async () => {
  const old = { created_at: new Date(0), updated_at: new Date(0) };
  const forsaken = await putRows(store, old);
  await store.jobs.deleteOne({ job_id: forsaken.jobId });
  const waiting = await putRows(store, old);
  const describe = async () => {
    throw new WorkflowNotFoundError('none', 'none', undefined);
  };
  const client = { workflow: { getHandle: () => ({ describe }) } } as unknown as Client;
  await createTerminated({ store, client, log })();
  expect(await store.datasets.findOne({ uuid: forsaken.uuid })).toMatchObject({
    status: 'upload error',
    sluice: { failure: { code: 'upload_interrupted' } },
  });
  expect(await store.datasets.findOne({ uuid: waiting.uuid })).toMatchObject({ status: 'uploading' });
});

test('a verification whose run was terminated fails; one that runs, one that is new and one that ended stay', async () => {
  const runs: Record<string, string> = { dead: 'TERMINATED', late: 'TIMED_OUT', alive: 'RUNNING' };
  const describe = (id: string) => async () => {
    const name = runs[id.replace('job:verify_', '')];
    if (name === undefined) throw new WorkflowNotFoundError('none', 'none', undefined);
    return { runId: 'r1', status: { name } };
  };
  const getHandle = (id: string) => ({ describe: describe(id) });
  const client = { workflow: { getHandle } } as unknown as Client;
  const put = async (id: string, runId: string | null, status: 'running' | 'pending' | 'completed') => {
    const order = { jobId: `verify_${id}`, uuid: 'u', by: 'ada@example.org' } as JobOrder;
    await insertVerification(store, order);
    const old = { created_at: new Date(0), updated_at: new Date(0) };
    const set = { ...old, status, 'sluice.runId': runId, 'sluice.revision': 1 };
    await store.verifications.updateOne({ job_id: order.jobId }, { $set: set });
  };
  await put('dead', 'r1', 'running');
  await put('late', null, 'pending');
  await put('alive', 'r1', 'running');
  await put('forgotten', 'r0', 'running');
  await put('never', null, 'pending');
  await put('ended', 'r1', 'completed');
  await createLostJobs({ store, client, log })();
  const rows = await store.verifications.find().toArray();
  expect(Object.fromEntries(rows.map(({ job_id, status }) => [job_id.slice(7), status]))).toEqual({
    ...{ dead: 'failed', late: 'failed', alive: 'running', forgotten: 'running', ended: 'completed' },
  });
  const dead = rows.find(({ job_id }) => job_id === 'verify_dead');
  expect(dead).toMatchObject({ completed_at: expect.any(Date), sluice: { failure: { code: 'terminated' } } });
  expect(await store.history.findOne({ entity: 'job:verify_dead' })).toMatchObject({
    ...{ from: 'running', to: 'failed', actor: 'keeper' },
  });
  // A late write of the dead run changes nothing.
  const late = { order: { jobId: 'verify_dead', uuid: 'u' } as JobOrder, revision: 2, at: Date.now() };
  const cause = { from: 'pending', to: 'running', actor: 'a', reason: 'r', result: null, failure: null };
  await writeJobChange(store, { ...late, ...cause } as JobChange, 'r1');
  expect(await store.verifications.findOne({ job_id: 'verify_dead' })).toMatchObject({ status: 'failed' });
});

test('what is older than a week goes, unless an upload is open or ended lately', async () => {
  const roots = { in: join(dir, 'in'), out: join(dir, 'out') };
  const before = new Date(Date.now() - KEPT_MS);
  const past = new Date(before.getTime() - 1_000);
  const row = async (status: 'failed' | 'paused', at: Date) =>
    (await putRows(store, {}, { upload_status: status, updated_at: at })).jobId;
  const over = await row('failed', past);
  const open = await row('paused', past);
  const late = await row('failed', new Date());
  const dataset = '6f0d1a52-9d4e-4a53-8f3e-444444444444-extract';
  const put = async (name: string, at: Date): Promise<void> => {
    const places = [join(roots.in, '.secrets', name), join(roots.in, '.staging', name)] as const;
    await mkdir(join(roots.in, '.secrets'), { recursive: true });
    await writeFile(places[0], 'sealed');
    await mkdir(join(places[1], 'files'), { recursive: true });
    for (const place of places) await utimes(place, at, at);
  };
  for (const name of [over, `${over}.1-ab.tmp`, open, late, 'upload_1_unknown', dataset])
    await put(name, past);
  await put('upload_1_young', new Date());
  await removeAged({ store, roots, log }, before);
  const left = [open, late, dataset, 'upload_1_young'].sort();
  expect((await readdir(join(roots.in, '.secrets'))).sort()).toEqual(left);
  expect((await readdir(join(roots.in, '.staging'))).sort()).toEqual(left);
});

test('the log is JSON lines of one shape, from the configured level on', () => {
  const lines: string[] = [];
  const own = createWorkerLog('info', { write: (line) => void lines.push(line) });
  const sdk = sdkLogger(own, 'info');
  own.info({ queue: 'control' }, 'ready');
  sdk.debug('not shown');
  sdk.warn('odd', { error: new Error('why'), big: 1n });
  const line = { level: expect.any(Number), time: expect.any(Number), name: 'worker' };
  expect(lines.map((text) => JSON.parse(text))).toEqual([
    expect.objectContaining({ ...line, msg: 'ready', queue: 'control' }),
    expect.objectContaining({ ...line, msg: 'odd', error: expect.objectContaining({ message: 'why' }) }),
  ]);
});
