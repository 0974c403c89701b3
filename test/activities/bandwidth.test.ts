// Limits on bandwidth, on a real database: they hold for a job, an owner and all, over processes, and change while bytes move.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Bandwidth, createBandwidth } from '../../src/bandwidth/bandwidth.js';
import { loadConfig } from '../../src/config/env.js';
import { createUrlGuard } from '../../src/net/url-guard.js';
import { openGoogleAccounts } from '../../src/secrets/google-accounts.js';
import { checkSource, sourceSchema } from '../../src/sources/registry.js';
import { changeLimits } from '../../src/store/limits.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { Bench, MIB, UUID } from '../contract/sources/bench.js';
import { sha256Of } from '../support/data.js';
import { EVERY, type Name, PacedSources } from '../support/paced-sources.js';
import { RCLONE } from '../support/rclone-server.js';
import { until } from '../support/stack.js';
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

const LOW = 1.5 * MIB;
const HIGH = 10 * LOW;
/** What was told of, and when, at every word of progress that tells of more. */
type Marks = { readonly at: number; readonly done: number }[];

/** Bytes a second between the first word and the last one so far. */
function rateOf(marks: Marks): number {
  const [first, last] = [marks[0], marks.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at) return Number.NaN;
  return (last.done - first.done) / ((last.at - first.at) / 1000);
}

describe('on real transfers', () => {
  const size = 40 * MIB;
  let sources: PacedSources;
  const benches: Bench[] = [];
  beforeAll(async () => {
    sources = await PacedSources.start(size);
  });
  afterAll(async () => {
    await Promise.all(benches.map((bench) => bench.close()));
    await sources.close();
  });

  /** The activity as a worker has it, with the source as the API gives it to one. */
  async function start(name: Name, jobId: string, bandwidth: Bandwidth) {
    const bench = await Bench.open();
    benches.push(bench);
    const config = loadConfig({ ...process.env, SLUICE_HOME: bench.dir, ...sources.settings });
    const accounts = openGoogleAccounts(config.googleAccounts);
    bench.extend({
      drive: { accounts, ...config.google },
      rclone: { command: RCLONE, config: config.rclone?.config ?? '' },
      localRoots: config.localRoots,
      bandwidth,
      beatsApartMs: 50,
    });
    const body = sourceSchema.parse(sources.source(name));
    const offer = { urlGuard: createUrlGuard(config.urlAllow), googleAccounts: accounts, rclone: true };
    const { source, secret } = await checkSource(body, { ...bench.deps, ...offer });
    if (secret !== undefined) await bench.deps.secrets.seal(jobId, secret);
    const marks: Marks = [];
    const onProgress = ({ done }: { done: number }): void => {
      if (done > (marks.at(-1)?.done ?? 0)) marks.push({ at: performance.now(), done });
    };
    const before = name === 'local' ? 0 : sources.came(name);
    const output = bench.run(source, { jobId, onProgress });
    const moved = () => (name === 'local' ? (marks.at(-1)?.done ?? 0) : sources.came(name) - before);
    // A copy has no line, and rclone reads far ahead of it: both tell of some MiB at once, so of all since their beginning.
    const rate = (from: number, at: number): number =>
      name === 'local' || name === 'dav'
        ? rateOf(marks)
        : (moved() - from) / ((performance.now() - at) / 1000);
    return { bench, output, moved, rate };
  }
  type Running = Awaited<ReturnType<typeof start>>;

  /** The most bytes a second that each moves over two seconds, from now until all are faster than that, or for a while. */
  async function best(running: readonly Running[], wanted: number): Promise<number[]> {
    const seen: { at: number; moved: number[] }[] = [];
    const most = running.map(() => 0);
    for (const end = performance.now() + 15_000; performance.now() < end; await later(100)) {
      const now = { at: performance.now(), moved: running.map(({ moved }) => moved()) };
      seen.push(now);
      const then = seen.findLast(({ at }) => now.at - at >= 2_000);
      if (then === undefined) continue;
      const seconds = (now.at - then.at) / 1000;
      for (const [i, moved] of now.moved.entries())
        most[i] = Math.max(most[i] ?? 0, (moved - (then.moved[i] ?? 0)) / seconds);
      if (most.every((rate) => rate > wanted)) break;
    }
    return most;
  }

  /** Bytes a second over so many milliseconds from now on. */
  async function rates(running: readonly Running[], ms: number): Promise<number[]> {
    const [at, from] = [performance.now(), running.map(({ moved }) => moved())];
    await later(ms);
    return running.map(({ rate }, i) => rate(from[i] ?? 0, at));
  }

  test('every source keeps to its limit from its first byte on, and is faster when that is raised meanwhile', async () => {
    const names = EVERY.filter((name) => name !== 'ssh');
    const process = newProcess();
    const scopes = names.map((_, at) => `job:upload_1_0000000${at}` as const);
    for (const scope of scopes) await limit(scope, LOW);
    const running = await Promise.all(names.map((name, at) => start(name, `upload_1_0000000${at}`, process)));
    await until('all move', async () => running.every(({ moved }) => moved() >= MIB));
    // The buffers on the way fill up first, however slow the reader is.
    await later(1_500);
    const slow = await rates(running, 3_500);
    for (const scope of scopes) await limit(scope, HIGH);
    const fast = await best(running, 2.2 * LOW);
    for (const scope of scopes) await limit(scope, null);
    const judged = names.map((name, at) => {
      const [before = 0, after = 0] = [slow[at], fast[at]];
      const isHeld = before > 0 && before < 1.8 * LOW;
      return [name, isHeld ? 'held' : before / MIB, after > 2.2 * LOW ? 'faster' : after / MIB];
    });
    expect(judged).toEqual(names.map((name) => [name, 'held', 'faster']));
    for (const [at, { bench, output }] of running.entries()) {
      const { done } = await output;
      const digests = sources.given[names[at] ?? 'url'];
      const found = Object.keys(digests).map(async (path) => [
        path,
        await sha256Of(join(bench.roots.in, UUID, path)),
      ]);
      expect([done, Object.fromEntries(await Promise.all(found))]).toEqual([true, digests]);
    }
  }, 60_000);
});
