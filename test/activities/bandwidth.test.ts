// Limits on bandwidth, on a real database: they hold for a job, an owner and all, over processes, and change while bytes move.
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Bandwidth, createBandwidth } from '../../src/bandwidth/bandwidth.js';
import { changeLimits } from '../../src/store/limits.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { Bench, JOB, MIB, someBytes } from '../contract/sources/bench.js';
import { startFaultServer } from '../support/fault-server.js';
import { PASSWORD, startRsyncDaemon, USER } from '../support/rsync-servers.js';
import { later } from '../support/story.js';

const KIB = 1024;
let store: Store;
const open: Bandwidth[] = [];
beforeAll(() => {
  store = openStore(process.env['SLUICE_TEST_MONGO'] ?? '', `bandwidth_${randomBytes(4).toString('hex')}`);
});
beforeEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await store.db.dropDatabase();
});
afterAll(async () => {
  await Promise.all(open.map((one) => one.close()));
  await store.db.dropDatabase();
  await store.client.close();
});

/** What a worker process has. */
function newProcess(from = store): Bandwidth {
  const holder = `worker-${open.length}-${randomBytes(4).toString('hex')}`;
  const one = createBandwidth({ store: from, holder, everyMs: 200, log: () => undefined });
  open.push(one);
  return one;
}

interface Moving {
  /** Bytes a second over so many milliseconds from now on. */
  rate(ms: number): Promise<number>;
  end(): Promise<void>;
}

/** A transfer that moves as much as it may. */
function startMoving(process: Bandwidth, jobId: string, owner = 'ada@example.org'): Moving {
  const stop = new AbortController();
  const { pace, leave } = process.join({ jobId, owner, signal: stop.signal, alive: () => undefined });
  let moved = 0;
  const work = (async () => {
    while (!stop.signal.aborted) {
      await pace(8 * KIB);
      moved += 8 * KIB;
      // A source has waits too.
      if (moved % (256 * KIB) === 0) await later(1);
    }
  })().catch(() => undefined);
  return {
    async rate(ms) {
      const [from, at] = [moved, performance.now()];
      await later(ms);
      return (moved - from) / ((performance.now() - at) / 1000);
    },
    async end() {
      stop.abort(new Error('ended'));
      await work;
      leave();
    },
  };
}

const limit = (scope: Parameters<typeof changeLimits>[1], bytes: number | null) =>
  changeLimits(store, scope, { bytes_per_second: bytes }, 'ops@example.org');

const within = (value: number, wanted: number): void => {
  expect(value / wanted).toBeGreaterThan(0.6);
  expect(value / wanted).toBeLessThan(1.5);
};

test('a job keeps its limit from its first byte on, is faster when that is raised, and free when it is taken away', async () => {
  await limit('job:j1', 256 * KIB);
  const moving = startMoving(newProcess(), 'j1');
  within(await moving.rate(1_500), 256 * KIB);
  await limit('job:j1', 2 * MIB);
  await later(500);
  within(await moving.rate(1_000), 2 * MIB);
  await limit('job:j1', null);
  await later(500);
  expect(await moving.rate(500)).toBeGreaterThan(8 * MIB);
  await moving.end();
});

test('two jobs of an owner share its limit, another owner is not touched by it', async () => {
  await limit('owner:ada@example.org', 512 * KIB);
  const process = newProcess();
  const jobs = [
    startMoving(process, 'j1'),
    startMoving(process, 'j2'),
    startMoving(process, 'j3', 'bob@example.org'),
  ];
  await later(300);
  const [first = 0, second = 0, other = 0] = await Promise.all(jobs.map((job) => job.rate(1_500)));
  within(first + second, 512 * KIB);
  within(first / second, 1);
  expect(other).toBeGreaterThan(4 * MIB);
  await Promise.all(jobs.map((job) => job.end()));
});

test('every owner has the limit of all owners who have none of their own', async () => {
  await limit('owners', 256 * KIB);
  await limit('owner:bob@example.org', 0);
  const process = newProcess();
  const jobs = [startMoving(process, 'j1'), startMoving(process, 'j2', 'bob@example.org')];
  await later(300);
  const [ada = 0, bob = 0] = await Promise.all(jobs.map((job) => job.rate(1_000)));
  within(ada, 256 * KIB);
  expect(bob).toBeGreaterThan(4 * MIB);
  await Promise.all(jobs.map((job) => job.end()));
});

test('two processes share the limit of all by what they move, and one that is left alone has all of it', async () => {
  await limit('global', 1 * MIB);
  const [one, two] = [newProcess(), newProcess()];
  const jobs = [startMoving(one, 'j1'), startMoving(two, 'j2'), startMoving(two, 'j3', 'bob@example.org')];
  await later(900);
  const rates = await Promise.all(jobs.map((job) => job.rate(1_500)));
  within(
    rates.reduce((sum, rate) => sum + rate, 0),
    1 * MIB,
  );
  for (const rate of rates) within(rate, MIB / 3);
  await Promise.all([jobs[1]?.end(), jobs[2]?.end()]);
  await later(700);
  within((await jobs[0]?.rate(1_000)) ?? 0, 1 * MIB);
  await jobs[0]?.end();
});

test('without its database a process keeps to what it knew last', async () => {
  const lost = openStore(process.env['SLUICE_TEST_MONGO'] ?? '', store.db.databaseName, 300);
  await limit('job:j1', 256 * KIB);
  const moving = startMoving(newProcess(lost), 'j1');
  await later(500);
  await lost.client.close();
  await limit('job:j1', 64 * MIB);
  within(await moving.rate(1_500), 256 * KIB);
  await moving.end();
});

test('a fetch from a web server goes at the speed it may, and beats its heart while it waits', async () => {
  const content = someBytes(2 * MIB);
  const server = await startFaultServer({ content });
  const bench = await Bench.open();
  try {
    await limit('global', 1 * MIB);
    const at = performance.now();
    const source = { kind: 'url', url: `${server.origin}/a.bin`, sealed: false } as const;
    const output = await bench.run(source, {}, { ...bench.deps, bandwidth: newProcess() });
    const seconds = (performance.now() - at) / 1000;
    await bench.prove(output, { 'a.bin': content });
    expect(seconds).toBeGreaterThan(1.4);
    expect(seconds).toBeLessThan(6);
  } finally {
    await server.close();
    await bench.close();
  }
});

test('rsync goes at the speed it may, by the connection that is made for it', async () => {
  const content = someBytes(2 * MIB);
  const bench = await Bench.open();
  const data = join(bench.dir, 'data');
  await mkdir(join(data, 'set'), { recursive: true });
  await writeFile(join(data, 'set/a.bin'), content);
  const daemon = await startRsyncDaemon(join(bench.dir, 'daemon'), data);
  try {
    await limit('global', 1 * MIB);
    await bench.deps.secrets.seal(JOB, { password: PASSWORD });
    const at = performance.now();
    const source = {
      ...({ kind: 'rsync', via: 'daemon', host: '127.0.0.1', sealed: true } as const),
      ...{ port: daemon.port, user: USER, path: 'closed/set' },
    };
    const output = await bench.run(source, {}, { ...bench.deps, bandwidth: newProcess() });
    const seconds = (performance.now() - at) / 1000;
    await bench.prove(output, { 'a.bin': content });
    expect(seconds).toBeGreaterThan(1.4);
    expect(seconds).toBeLessThan(10);
  } finally {
    await daemon.stop();
    await bench.close();
  }
});
