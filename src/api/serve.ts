// The API process: wires what the routes need, listens on loopback, stops cleanly.
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { serve } from '@hono/node-server';
import type { Client } from '@temporalio/client';
import { type Logger, pino } from 'pino';
import { createBandwidth } from '../bandwidth/bandwidth.js';
import type { Config } from '../config/config.js';
import { Fault } from '../domain/fault.js';
import { allowManyListeners } from '../net/many-listeners.js';
import { createUrlGuard } from '../net/url-guard.js';
import { openGoogleAccounts } from '../secrets/google-accounts.js';
import { openSshDirectory } from '../secrets/ssh-directory.js';
import { openVault } from '../secrets/vault.js';
import { ensureIndexes } from '../store/indexes.js';
import { mongoUrl, openStore, type Store } from '../store/mongo.js';
import { createApp } from './app.js';
import { Writers } from './awaited/writers.js';
import { collectDeadBuffers } from './dead-buffers.js';
import type { ApiDeps } from './deps.js';
import { createEngine } from './engine.js';
import { checkKeys } from './keys.js';
import { isLoopbackHost } from './middleware/guards.js';
import { connectTemporal, ensureSearchAttributes } from './temporal.js';

/** How long uploads that are interrupted by a stop may take to say so. */
const GOODBYE_MS = 5_000;

/**
 * Bodies come in buffers outside of the heap, which V8 counts against the room that the heap has to grow. By default
 * that room shrinks to little in an idle minute, and from then on each 20 MB of a body cost a collection of the whole
 * heap: over 4 s of processor time for a GiB, where all else takes 3 s (Node 20, bench upload).
 */
const HEAP_ROOM = '--heap-growing-percent=150';

export interface RunningApi {
  /** Where it listens, e.g. http://127.0.0.1:5000 */
  readonly url: string;
  readonly deps: ApiDeps;
  /** Stops accepting, interrupts uploads (their workflows are told), ends streams, closes the connections. */
  stop(): Promise<void>;
}

/** Serves until SIGTERM or SIGINT. Starts also while the database or Temporal is away. */
export async function runApi(config: Config): Promise<void> {
  setFlagsFromString(HEAP_ROOM);
  collectDeadBuffers();
  const api = await startApi(config);
  api.deps.log.info({ url: api.url }, 'the API listens');
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  await api.stop();
}

/** @throws Fault conflict when another program has the port */
export async function startApi(
  config: Config,
  log: Logger = pino({ name: 'api', level: config.logLevel }),
): Promise<RunningApi> {
  const { host, port } = config.api;
  if (!isLoopbackHost(host))
    throw new Fault('forbidden_origin', `HOST ${host} needs authentication, which is not configured.`);
  const closing = new AbortController();
  // Every stream and every upload listens to it.
  allowManyListeners(closing.signal);
  const store = openStore(mongoUrl(config.mongo), config.mongo.db);
  const client = await connectTemporal(config);
  const deps = makeDeps(config, store, client, log, closing.signal);
  await requireKeys(deps).catch(async (error: unknown) => {
    await Promise.allSettled([store.client.close(), client.connection.close()]);
    throw error;
  });
  const server = await listen(createApp(deps), host, port);
  const preparing = prepare(deps, client);
  return {
    url: urlOf(server),
    deps,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      closing.abort(new Fault('upload_interrupted', 'The server is stopping.'));
      for (const end = Date.now() + GOODBYE_MS; deps.receiving.size > 0 && Date.now() < end; )
        await sleep(50);
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 500).unref();
      await closed;
      await deps.writers.close();
      await deps.bandwidth.close();
      // A call that Temporal has not answered yet must not find its channel closed; it ends by its own deadline.
      await preparing;
      await Promise.allSettled([store.client.close(), client.connection.close()]);
    },
  };
}

function makeDeps(config: Config, store: Store, client: Client, log: Logger, closing: AbortSignal): ApiDeps {
  const roots = config.dirs;
  const instance = `api-${process.pid}-${randomBytes(4).toString('hex')}`;
  const say = (words: string, facts: object = {}): void => log.warn(facts, words);
  const deps = {
    config,
    store,
    engine: createEngine(client),
    roots,
    vault: openVault(config.home, roots),
    urlGuard: createUrlGuard(config.urlAllow),
    googleAccounts: openGoogleAccounts(config.googleAccounts),
    ssh: openSshDirectory(config.sshDir),
    log,
    instance,
    closing,
    bandwidth: createBandwidth({ store, holder: instance, trusts: true, log: say }),
    receiving: new Map<string, AbortController>(),
  };
  return { ...deps, writers: new Writers(deps) };
}

/** @throws Fault foreign_keys; found later, it ends the process, whose next start throws it */
async function requireKeys({ store, config, closing, log }: ApiDeps): Promise<void> {
  await checkKeys({
    store,
    config,
    closing,
    log: (words, facts = {}) => log.warn(facts, words),
    onForeign: (fault) => {
      log.fatal({ err: fault }, fault.row.remedy);
      process.kill(process.pid, 'SIGTERM');
    },
  });
}

/** Indexes and search attributes, as soon as their servers answer. */
async function prepare(deps: ApiDeps, client: Client): Promise<void> {
  await Promise.all([
    untilDone(deps, 'indexes', async () => {
      for (const problem of await ensureIndexes(deps.store))
        deps.log.warn(problem, 'an index is not as planned');
    }),
    untilDone(deps, 'search attributes', () => ensureSearchAttributes(client)),
  ]);
}

async function untilDone({ closing, log }: ApiDeps, what: string, work: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 100 && !closing.aborted; tries++) {
    try {
      await work();
      return;
    } catch (error) {
      log.debug({ err: error }, `${what} could not be made yet`);
      await sleep(Math.min(500 * 2 ** tries, 10_000), undefined, { signal: closing, ref: false }).catch(
        () => undefined,
      );
    }
  }
}

/** @throws Fault conflict */
function listen(app: ReturnType<typeof createApp>, hostname: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    // Bodies may take hours; a header may not.
    const serverOptions = { requestTimeout: 0, headersTimeout: 60_000 };
    const server = serve({ fetch: app.fetch, hostname, port, serverOptions }) as Server;
    server.once('listening', () => resolve(server));
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = new Fault('conflict', `Port ${port} is taken by another program; set PORT.`, {
        cause: error,
      });
      reject(error.code === 'EADDRINUSE' ? taken : error);
    });
  });
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the API has no address');
  const { family, port } = address;
  return family === 'IPv6' ? `http://[${address.address}]:${port}` : `http://${address.address}:${port}`;
}
