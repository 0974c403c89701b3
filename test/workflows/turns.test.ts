// Turns: an owner has so many transfers at once over all workers, the others hold no slot, and everybody is called in the end.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { createFetchActivities, type FetchDeps } from '../../src/activities/fetch/index.js';
import { createAdmission } from '../../src/activities/support/admission.js';
import type { ProgressReport } from '../../src/activities/support/heartbeat.js';
import { inTurn } from '../../src/activities/support/in-turn.js';
import { createTurns, type Turns } from '../../src/activities/support/turns.js';
import { createEngine } from '../../src/api/engine.js';
import { newUploadJob } from '../../src/api/records.js';
import type { ConvertInput } from '../../src/contracts/activities.js';
import { COLLECTIONS } from '../../src/contracts/documents.js';
import { datasetWorkflowId } from '../../src/domain/ids.js';
import type { Priority } from '../../src/domain/priority.js';
import { openSshDirectory } from '../../src/secrets/ssh-directory.js';
import { openVault } from '../../src/secrets/vault.js';
import { insertJob } from '../../src/store/jobs.js';
import { changeLimits } from '../../src/store/limits.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { until } from '../support/stack.js';
import { claim, inputOf, later, newGate, order, stages, tellStories, temporal } from '../support/story.js';

tellStories('turns');

const ADA = 'ada@example.org';
const BOB = 'bob@example.org';
let store: Store;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'sluice-turns-'));
  await mkdir(join(home, 'local'));
  await writeFile(join(home, 'local/a.bin'), 'hello');
  store = openStore(process.env['SLUICE_TEST_MONGO'] ?? '', `turns_${randomBytes(4).toString('hex')}`);
});
beforeEach(async () => await store.db.dropDatabase());
afterAll(async () => {
  await store.db.dropDatabase();
  await store.client.close();
  await rm(home, { recursive: true, force: true });
});

const newTurns = (): Turns =>
  createTurns({ store, client: temporal.client, settings: {}, log: () => undefined });

/** What happened since the test began: who took a turn in which order, who waited, how many ran at once of an owner. */
let seen: { took: string[]; waited: number; running: Map<string, number>; most: Map<string, number> };
beforeEach(() => {
  seen = { took: [], waited: 0, running: new Map(), most: new Map() };
});

function count(owner: string, by: number): void {
  const now = (seen.running.get(owner) ?? 0) + by;
  seen.running.set(owner, now);
  seen.most.set(owner, Math.max(now, seen.most.get(owner) ?? 0));
}

/** The real fetch, whose transfers last a while; every other one asks as another worker process would. */
function fetching(lasts?: Promise<void>, more: Partial<FetchDeps> = {}) {
  const roots = { in: join(home, 'in'), out: join(home, 'out') };
  const processes = [newTurns(), newTurns()];
  const take: Turns['take'] = async (job) => {
    processes.reverse();
    const turn = await processes[0]?.take(job);
    if (turn === undefined) {
      seen.waited += 1;
      return undefined;
    }
    seen.took.push(job.jobId);
    count(job.owner, 1);
    await (lasts ?? later(150));
    return {
      end: async () => {
        count(job.owner, -1);
        await turn.end();
      },
    };
  };
  const { fetchSource } = createFetchActivities({
    roots,
    localRoots: [join(home, 'local')],
    urlAllow: [],
    ssh: openSshDirectory(join(home, 'ssh')),
    secrets: openVault(home, roots),
    progress: { report: () => undefined },
    turns: { take, wait: (job) => newTurns().wait(job) },
    ...more,
  });
  return stages({ fetchSource });
}

let jobs = 0;
async function pull(owner: string, priority: Priority = 2) {
  jobs += 1;
  const uuid = randomUUID();
  const source = { kind: 'local', path: join(home, 'local/a.bin') } as const;
  const one = order(`upload_50_${jobs}`, { by: owner, priority, source });
  await insertJob(
    store,
    newUploadJob({ order: one, uuid, owner, source: 'a file', bytes: 0, holder: 'an API' }),
  );
  await createEngine(temporal.client).deliver(inputOf(uuid, { owner, by: owner }), one);
  return {
    uuid,
    jobId: one.jobId,
    result: () => temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result(),
  };
}

test('over two processes an owner has no more transfers at once than it may, and all of them arrive', async () => {
  await changeLimits(store, `owner:${ADA}`, { transfers: 2 }, 'ops');
  await temporal.run(
    fetching(),
    async () => {
      const all = await Promise.all(Array.from({ length: 10 }, () => pull(ADA)));
      await eventually(() => seen.waited > 0);
      // Every slot would be hers if those who wait held one.
      const other = await pull(BOB);
      await other.result();
      expect(seen.took.indexOf(other.jobId)).toBeLessThan(9);
      await Promise.all(all.map((job) => job.result()));
    },
    { transfer: 4 },
  );
  expect(seen.most.get(ADA)).toBe(2);
  expect(seen.took).toHaveLength(11);
  expect(await store.db.collection(COLLECTIONS.waiting).countDocuments()).toBe(0);
  expect(await store.db.collection(COLLECTIONS.turns).findOne({ running: { $ne: [] } })).toBeNull();
}, 60_000);

test('the most urgent of the line is called first', async () => {
  await changeLimits(store, 'owners', { transfers: 1 }, 'ops');
  const gate = newGate();
  await temporal.run(fetching(gate.opened), async () => {
    const first = await pull(ADA);
    await eventually(() => seen.took.length === 1);
    const low = [await pull(ADA, 3), await pull(ADA, 3)];
    await eventually(() => seen.waited === 2);
    const high = await pull(ADA, 1);
    await eventually(() => seen.waited === 3);
    gate.open();
    await Promise.all([first, ...low, high].map((job) => job.result()));
    expect(seen.took.slice(0, 2)).toEqual([first.jobId, high.jobId]);
  });
}, 60_000);

test('turns of a worker that died pass on, and a raised limit calls those who wait', async () => {
  const turns = newTurns();
  await changeLimits(store, `owner:${ADA}`, { transfers: 1 }, 'ops');
  const rows = store.db.collection<{ _id: string; running: object[] }>(COLLECTIONS.turns);
  const running = (until: number) => [{ job: 'upload_1_dead', until: new Date(until) }];
  await rows.insertOne({ _id: ADA, running: running(Date.now() + 3_600_000) });
  await temporal.run(fetching(), async () => {
    const all = [await pull(ADA), await pull(ADA)];
    await eventually(() => seen.waited === 2);
    await turns.sweep();
    expect(seen.took).toEqual([]);
    await changeLimits(store, `owner:${ADA}`, { transfers: 2 }, 'ops');
    await turns.sweep();
    await eventually(() => seen.took.length > 0);
    await changeLimits(store, `owner:${ADA}`, { transfers: 1 }, 'ops');
    await rows.updateOne({ _id: ADA }, { $set: { running: running(Date.now() - 1) } });
    await turns.sweep();
    await Promise.all(all.map((job) => job.result()));
  });
  expect(seen.took).toHaveLength(2);
}, 60_000);

test('an upload that waits for its turn can be cancelled, and takes nobody’s turn with it', async () => {
  await changeLimits(store, `owner:${ADA}`, { transfers: 1 }, 'ops');
  const gate = newGate();
  await temporal.run(fetching(gate.opened), async () => {
    const first = await pull(ADA);
    await eventually(() => seen.took.length === 1);
    const gone = await pull(ADA, 1);
    await eventually(() => seen.waited === 1);
    const last = await pull(ADA);
    await eventually(() => seen.waited === 2);
    const engine = createEngine(temporal.client);
    expect((await engine.command(gone.uuid, 'cancel', { by: ADA })).result).toBe('done');
    await expect(gone.result()).rejects.toThrow();
    gate.open();
    await first.result();
    await last.result();
    expect(seen.took).toEqual([first.jobId, last.jobId]);
  });
}, 60_000);

/** Conversions that last until the gate opens, asked for as the real stages do. */
function converting(gate: Promise<void>) {
  const notes: (string | undefined)[] = [];
  const turns = newTurns();
  const convertDataset = async (input: ConvertInput) => {
    const report = ({ note }: ProgressReport): void => void notes.push(note);
    const asked = await inTurn({ turns, progress: { report } }, input, 'convert', async () => {
      seen.took.push(input.uuid);
      count(input.owner ?? '', 1);
      const beat = setInterval(() => heartbeat(), 50);
      try {
        if (input.owner === ADA) await Promise.race([gate, Context.current().cancelled]);
      } finally {
        clearInterval(beat);
        count(input.owner ?? '', -1);
      }
      return { product: claim('product') };
    });
    if ('waits' in asked) seen.waited += 1;
    return asked;
  };
  return { notes, stages: stages({ convertDataset }) };
}

test('an owner has no more conversions at once than it may; those who wait say so, hold no slot, and can be cancelled', async () => {
  await changeLimits(store, `owner:${ADA}`, { conversions: 1, transfers: 1 }, 'ops');
  const gate = newGate();
  const { notes, stages: activities } = converting(gate.opened);
  await temporal.run(
    activities,
    async () => {
      const first = await pull(ADA);
      await eventually(() => seen.took.length === 1);
      const more = [await pull(ADA), await pull(ADA), await pull(ADA)];
      await eventually(() => seen.waited === 3);
      const other = await pull(BOB);
      await other.result();
      const [gone, ...rest] = more;
      expect(notes).toEqual(['waits for its turn', 'waits for its turn', 'waits for its turn']);
      const engine = createEngine(temporal.client);
      expect((await engine.command(gone?.uuid ?? '', 'cancel', { by: ADA })).result).toBe('done');
      await expect(gone?.result()).rejects.toThrow();
      gate.open();
      await Promise.all([first, ...rest].map((job) => job.result()));
      expect(seen.took.slice(0, 2)).toEqual([first.uuid, other.uuid]);
      expect(seen.took.slice(2).sort()).toEqual(rest.map(({ uuid }) => uuid).sort());
    },
    { compute: 2 },
  );
  expect(seen.most.get(ADA)).toBe(1);
  expect(await store.db.collection(COLLECTIONS.waiting).countDocuments()).toBe(0);
}, 60_000);

test('a pull whose bytes have no room beside those on their way waits in line; one that never fits fails', async () => {
  await changeLimits(store, `owner:${ADA}`, { open_bytes: 8 }, 'ops');
  const admit = createAdmission({ store, settings: {}, log: () => undefined });
  const waiting = (): Promise<number> => store.db.collection(COLLECTIONS.waiting).countDocuments();
  await temporal.run(fetching(Promise.resolve(), { admit }), async () => {
    // Five bytes each. That those of the first are in, nobody tells the rows yet.
    const first = await pull(ADA);
    await first.result();
    const second = await pull(ADA);
    await until('it waits', async () => (await waiting()) === 1);
    await newTurns().sweep();
    expect(await waiting()).toBe(1);
    await store.jobs.updateOne({ job_id: first.jobId }, { $set: { upload_status: 'completed' } });
    await newTurns().sweep();
    await second.result();
    expect(await waiting()).toBe(0);
    const third = await pull(ADA);
    await until('it waits', async () => (await waiting()) === 1);
    await changeLimits(store, `owner:${ADA}`, { open_bytes: 4 }, 'ops');
    await newTurns().sweep();
    await expect(third.result()).rejects.toMatchObject({ cause: { type: 'too_many_open_bytes' } });
  });
}, 60_000);

/** What happens in workers comes about; not within half a minute, it never will. */
async function eventually(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !holds(); await later(20)) {
    if (Date.now() > end) throw new Error(`it did not come about: ${holds} (${JSON.stringify(seen)})`);
  }
}
