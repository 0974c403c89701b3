// A whole API on real servers: a database and a namespace of its own, a scratch directory, no worker.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { type RunningApi, startApi } from '../../../src/api/serve.js';
import { ensureSearchAttributes } from '../../../src/api/temporal.js';
import type { Config } from '../../../src/config/config.js';
import { ensureIndexes } from '../../../src/store/indexes.js';
import { openStore, type Store } from '../../../src/store/mongo.js';

export interface Harness {
  readonly api: RunningApi;
  readonly url: string;
  readonly store: Store;
  readonly client: Client;
  readonly config: Config;
  /** Stops the API and starts another one on the same data. */
  restart(change?: Partial<Config>): Promise<void>;
  close(): Promise<void>;
}

export const required = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: tests start with "npm test"`);
  return value;
};

/** @param change settings that differ from the usual ones */
export async function startHarness(title: string, change: Partial<Config> = {}): Promise<Harness> {
  const home = await mkdtemp(join(tmpdir(), `sluice-${title}-`));
  const namespace = `${title}-${randomBytes(3).toString('hex')}`;
  const client = await makeNamespace(namespace);
  const usual = settings(home, namespace, `${title}_${randomBytes(3).toString('hex')}`);
  const config = { ...usual, ...change };
  const store = openStore(required('SLUICE_TEST_MONGO'), config.mongo.db);
  await ensureIndexes(store);
  const log = pino({ level: 'silent' });
  const harness = {
    api: await startApi(config, log),
    store,
    client,
    config,
    get url() {
      return harness.api.url;
    },
    async restart(next: Partial<Config> = {}) {
      await harness.api.stop();
      harness.api = await startApi({ ...config, ...next }, log);
    },
    async close() {
      await harness.api.stop();
      await store.db.dropDatabase();
      await Promise.all([store.client.close(), client.connection.close()]);
      await rm(home, { recursive: true, force: true });
    },
  };
  return harness;
}

async function makeNamespace(namespace: string): Promise<Client> {
  const connection = await Connection.connect({ address: required('SLUICE_TEST_TEMPORAL') });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  const client = new Client({ connection, namespace });
  // A new namespace is known to all parts of the server after a moment.
  for (let tries = 0; ; tries += 1) {
    try {
      await ensureSearchAttributes(client);
      return client;
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(100);
    }
  }
}

function settings(home: string, namespace: string, db: string): Config {
  const address = required('SLUICE_TEST_TEMPORAL');
  return {
    home,
    cache: join(home, 'cache'),
    api: { host: '127.0.0.1', port: 0 },
    temporal: { address, namespace, port: 0, uiPort: 0, uiUrl: 'http://127.0.0.1:8233' },
    mongo: { url: required('SLUICE_TEST_MONGO'), db, port: 0 },
    dirs: { in: join(home, 'in'), out: join(home, 'out') },
    localRoots: [join(home, 'roots')],
    urlAllow: [],
    google: {},
    googleAccounts: [],
    worker: { queues: ['control', 'transfer', 'compute'], computeSlots: 1, transferSlots: 1 },
    python: 'python3',
    limits: {
      uploadBytes: 64 * 1024 * 1024,
      fileBytes: 1024 * 1024 * 1024,
      chunkBytes: 1024 * 1024,
      uploadExpiryMs: 86_400_000,
      chunkExpiryMs: 7 * 86_400_000,
      extractBytes: 1e9,
      extractRatio: 100,
      extractDepth: 64,
      extractEntries: 1000,
      converterBytes: 0,
    },
    quietMs: 1000,
    logLevel: 'error',
  };
}

/** The order that the workflow of a dataset was given first, as its history shows it. */
export async function deliveredOrders(client: Client, uuid: string): Promise<unknown[]> {
  const { events } = await client.workflow.getHandle(`dataset:${uuid}`).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
    (signal?.input?.payloads ?? []).map(({ data }) => JSON.parse(Buffer.from(data ?? []).toString())),
  );
}
