// Bench orchestration: our dataset and upload workflows with stages that do nothing, beside bare ones that do the same.
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { createStatusActivities } from '../src/activities/status/index.js';
import { createEngine } from '../src/api/engine.js';
import { datasetInput, newDataset, newUploadJob } from '../src/api/records.js';
import { ensureSearchAttributes } from '../src/api/temporal.js';
import { PROJECT_ROOT } from '../src/config/env.js';
import type { ComputeActivities, TransferActivities } from '../src/contracts/activities.js';
import type { Claim } from '../src/contracts/claim.js';
import type { UploadOrder } from '../src/contracts/workflow.js';
import { datasetWorkflowId, QUEUES, uploadJobId, uploadWorkflowId } from '../src/domain/ids.js';
import { openVault } from '../src/secrets/vault.js';
import { insertDataset } from '../src/store/datasets.js';
import { ensureIndexes } from '../src/store/indexes.js';
import { insertJob } from '../src/store/jobs.js';
import { type BenchOptions, cpuTime, type Findings, packageVersions } from './harness.js';
import { type BareRow, createBareActivities } from './peer/activities.js';
import { type Servers, withServers } from './stack.js';
import { compare, figure, interleave, timed } from './stats.js';

const SINGLES = 21;
const ROUNDS = 7;
const AT_ONCE = 20;

export async function orchestration({ runs, say }: BenchOptions): Promise<Findings> {
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  return await withServers(say, async (servers) => {
    await ensureIndexes(servers.store);
    await ensureSearchAttributes(servers.client);
    return await withWorkers(servers, () => measure(servers, runs, say));
  });
}

async function measure(
  servers: Servers,
  runs: number | undefined,
  say: (text: string) => void,
): Promise<Findings> {
  const latency = await interleave(
    runs ?? SINGLES,
    kinds((kind) => async () => await timed(await prepare(servers, kind))),
  );
  say('one at a time: done');
  const work: Record<Kind, number[]> = { ours: [], pair: [], routed: [], single: [] };
  const speed = await interleave(
    Math.min(runs ?? ROUNDS, ROUNDS),
    kinds((kind) => () => many(servers, kind, work[kind])),
    (round) => say(`${AT_ONCE} at once: round ${round}`),
  );
  // The untimed round counts in neither.
  for (const values of Object.values(work)) values.splice(0, values.length - speed.ours.length);
  const peers = Object.keys(BARE_WORDS) as Bare[];
  const rows = (what: string, unit: string, better: 'lower' | 'higher', values: Record<Kind, number[]>) =>
    peers.map((peer) => compare({ what, unit, better, peer: BARE_WORDS[peer] }, values.ours, values[peer]));
  return {
    comparisons: [
      ...rows('one at a time', 'ms', 'lower', latency),
      ...rows(`${AT_ONCE} at once`, '1/s', 'higher', speed),
      ...rows('processor time of one', 'ms', 'lower', work),
    ],
    figures: await historyFigures(servers),
    notes: NOTES,
    versions: { ...servers.versions, ...packageVersions('@temporalio/worker', 'mongodb') },
  };
}

const NOTES = [
  'Five stages that do nothing, started by the same signalWithStart call and awaited by their result; same server, flags and worker options.',
  'The peer writes one row to MongoDB in each of its five activities (majority, journaled); ours writes through its mirror. The journal is synced on both sides.',
  'Ours runs on three queues, so that stages may run on other machines; the bare ones run on one, unless "on three queues" is said.',
  'Processor time: workers, client, Temporal and MongoDB together, measured with many at once.',
];

const kinds = <T>(make: (kind: Kind) => T): Record<Kind, T> => ({
  ours: make('ours'),
  pair: make('pair'),
  routed: make('routed'),
  single: make('single'),
});

/** @returns runs in a second; adds the processor time of one run to `work`, ms */
async function many(servers: Servers, kind: Kind, work: number[]): Promise<number> {
  const started = await Promise.all(Array.from({ length: AT_ONCE }, () => prepare(servers, kind)));
  const before = await usedTime(servers);
  const ms = await timed(() => Promise.all(started.map((run) => run())));
  work.push(((await usedTime(servers)) - before) / AT_ONCE);
  return (AT_ONCE * 1000) / ms;
}

async function usedTime({ pids }: Servers): Promise<number> {
  const all = await Promise.all([process.pid, ...pids].map(cpuTime));
  return all.reduce((sum, ms) => sum + ms, 0);
}

async function historyFigures(servers: Servers) {
  const count = async ({ ids, run }: Started) => {
    await run();
    const histories = await Promise.all(
      ids.map((id) => servers.client.workflow.getHandle(id).fetchHistory()),
    );
    return [histories.reduce((sum, { events }) => sum + (events?.length ?? 0), 0)];
  };
  return [
    figure('history events, ours', 'events', await count(await prepareOurs(servers, FILE)), 75),
    figure('history events, ours, with an archive', 'events', await count(await prepareOurs(servers))),
    figure(
      'history events, bare parent and child',
      'events',
      await count(await prepareBare(servers, 'pair')),
    ),
  ];
}

type Kind = 'ours' | Bare;
type Bare = keyof typeof BARE_TYPES;
const BARE_TYPES = { pair: 'bareParent', routed: 'routedParent', single: 'bareSingle' } as const;
const BARE_WORDS: Readonly<Record<Bare, string>> = {
  pair: 'bare parent and child',
  routed: 'bare parent and child on three queues',
  single: 'one bare workflow',
};
interface Started {
  readonly ids: readonly string[];
  run(): Promise<unknown>;
}

/** Rows are made before the clock starts: both need them, and the API makes them before the workflow. */
async function prepare(servers: Servers, kind: Kind): Promise<() => Promise<unknown>> {
  return (await started(servers, kind)).run;
}

async function started(servers: Servers, kind: Kind): Promise<Started> {
  return kind === 'ours' ? await prepareOurs(servers) : await prepareBare(servers, kind);
}

/** @param path of what is delivered: with an archive all five stages run, with a file four */
async function prepareOurs({ client, store, config }: Servers, path = ARCHIVE): Promise<Started> {
  const uuid = randomUUID();
  const jobId = uploadJobId(Date.now(), randomBytes(4).toString('hex'));
  const owner = 'ada@example.org';
  const row = newDataset(
    uuid,
    { ...FIELDS, user_email: owner },
    { status: 'uploading', sourceType: 'local', jobId },
  );
  const order: UploadOrder = { jobId, source: { kind: 'local', path }, seal: true, by: owner };
  await insertDataset(store, row);
  await insertJob(store, newUploadJob({ order, uuid, owner, source: 'a file', bytes: 1, holder: 'bench' }));
  const run = { fresh: true, reason: 'delivery', by: owner, quietMs: config.quietMs } as const;
  const input = datasetInput(row, run);
  const engine = createEngine(client);
  return {
    ids: [datasetWorkflowId(uuid), uploadWorkflowId(jobId)],
    run: async () => {
      await engine.deliver(input, order);
      await client.workflow.getHandle(datasetWorkflowId(uuid)).result();
    },
  };
}

const ARCHIVE = '/data/a.zip';
const FILE = '/data/a.tif';

const FIELDS = {
  name: 'a bench',
  sensor: 'TIFF',
  convert: true,
  is_public: false,
  is_public_downloadable: false,
  folder: null,
  team_uuid: null,
  tags: '',
  unpack_nested: false,
  keep_archives: true,
  parameters: {},
} as const;

async function prepareBare({ client, store }: Servers, kind: Bare): Promise<Started> {
  const id = randomUUID();
  await bareRows(store.db).insertOne({ _id: id, status: 'queued', updated_at: new Date() });
  const workflowId = `bare-${id}`;
  return {
    ids: kind === 'single' ? [workflowId] : [workflowId, `child-${id}`],
    run: async () => {
      await client.workflow.signalWithStart(BARE_TYPES[kind], {
        workflowId,
        taskQueue: BARE_QUEUE,
        args: [id],
        signal: 'order',
        signalArgs: [id],
      });
      await client.workflow.getHandle(workflowId).result();
    },
  };
}

const bareRows = (db: Servers['store']['db']) => db.collection<BareRow>('bench_rows');
const BARE_QUEUE = 'bare';

/** Our three queues as src/workers sets them up, and one worker that does everything for the peers. */
async function withWorkers<T>(servers: Servers, work: () => Promise<T>): Promise<T> {
  const connection = await NativeConnection.connect({ address: servers.temporalAddress });
  const create = (taskQueue: string, options: Partial<WorkerOptions>) =>
    Worker.create({ connection, namespace: 'default', taskQueue, ...SHARED, ...options });
  const { client, store, config, home } = servers;
  const secrets = openVault(home, config.dirs);
  const peer = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./peer/workflows.js', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  const activities = createBareActivities(bareRows(store.db));
  const workers = await Promise.all([
    create(QUEUES.control, {
      workflowBundle: { codePath: join(PROJECT_ROOT, 'dist', 'workflows.bundle.js') },
      activities: createStatusActivities({ client, store, roots: config.dirs, secrets }),
    }),
    create(QUEUES.transfer, { activities: NO_TRANSFER }),
    create(QUEUES.compute, { activities: NO_COMPUTE }),
    create(BARE_QUEUE, { workflowBundle: peer, activities }),
    create('bare-transfer', { activities }),
    create('bare-compute', { activities }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  try {
    return await work();
  } finally {
    for (const worker of workers) worker.shutdown();
    await running;
    await connection.close();
  }
}

const SHARED: Partial<WorkerOptions> = {
  maxHeartbeatThrottleInterval: '1s',
  shutdownGraceTime: '5s',
  shutdownForceTime: '15s',
  stickyQueueScheduleToStartTimeout: '2s',
};

const claim = (key: string): Claim => ({ store: 'out', key, size: 1_000, digest: 'ab'.repeat(32) });

const NO_TRANSFER: TransferActivities = {
  fetchSource: ({ order: { source } }) => {
    const archives = source.kind === 'local' && source.path === ARCHIVE ? 1 : 0;
    const delivery = { manifest: claim('files.json'), files: 1, bytes: 1_000, archives };
    return Promise.resolve({ done: true, delivery });
  },
};

const NO_COMPUTE: ComputeActivities = {
  extractArchives: () => Promise.resolve({ manifest: claim('extracted.json'), files: 1, bytes: 1_000 }),
  convertDataset: () => Promise.resolve({ product: claim('product') }),
  validateProduct: () => Promise.resolve({ report: claim('report.json') }),
  publishProduct: () =>
    Promise.resolve({
      product: {
        manifest: claim('manifest.json'),
        kind: 'idx',
        entry: 'visus.idx',
        bytes: 1_000,
        files: 3,
        preview: null,
        checked: 1,
        blocks: 1,
      },
    }),
};
