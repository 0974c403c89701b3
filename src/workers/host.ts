// One worker process: connects, runs the workers of its queues and the keeper, until it is told to stop.
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTelemetryFilterString, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createProgressSink } from '../activities/support/mongo-progress.js';
import { createTurns } from '../activities/support/turns.js';
import { createEngine } from '../api/engine.js';
import { checkKeys } from '../api/keys.js';
import { connectTemporal, temporalConnection } from '../api/temporal.js';
import { createBandwidth } from '../bandwidth/bandwidth.js';
import type { Config } from '../config/config.js';
import type { Fault } from '../domain/fault.js';
import { QUEUES } from '../domain/ids.js';
import { openVault } from '../secrets/vault.js';
import { ensureIndexes } from '../store/indexes.js';
import { mongoUrl, openStore } from '../store/mongo.js';
import { type Keeper, startKeeper } from './keeper.js';
import { createWorkerLog, sdkLogger } from './log.js';
import { type Ports, queueOptions } from './queues.js';

/** Runs workers for the configured queues; resolves after a clean shutdown (SIGTERM, SIGINT). */
export async function runWorker(config: Config): Promise<void> {
  const log = startLog(config);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  await makeDirectories(config);
  const connection = await connectPatiently(config, stop.signal, log);
  if (connection === undefined) return;
  const ports = await openPorts(config, log);
  try {
    const onForeign = ({ message, row }: Fault): void => {
      log(message, { remedy: row.remedy });
      stop.abort();
    };
    await checkKeys({ store: ports.store, config, closing: stop.signal, log, onForeign });
    const workers = await createWorkers(connection, ports);
    const keeper = config.worker.queues.includes('control') ? startKeeping(ports, log) : undefined;
    await runUntil(workers, { signal: stop.signal, keeper, log });
  } finally {
    await ports.bandwidth.close();
    await Promise.all([ports.client.connection.close(), ports.store.client.close()]);
    await connection.close();
  }
}

type Log = (words: string, facts?: Record<string, unknown>) => void;

/** One log for us, for the SDK and for its native core, which would write lines of its own otherwise. */
function startLog({ logLevel }: Config): Log {
  const lines = createWorkerLog(logLevel);
  const filter = makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' });
  Runtime.install({
    logger: sdkLogger(lines, logLevel),
    telemetryOptions: { logging: { filter, forward: {} } },
    shutdownSignals: [],
  });
  return (words, facts = {}) => lines.info(facts, words);
}

async function makeDirectories({ dirs, home }: Config): Promise<void> {
  const all = [dirs.in, dirs.out, join(home, 'joblogs')];
  await Promise.all(all.map((directory) => mkdir(directory, { recursive: true })));
}

/** Waits for Temporal as long as it takes; a worker may start before its server. */
async function connectPatiently(
  config: Config,
  signal: AbortSignal,
  log: Log,
): Promise<NativeConnection | undefined> {
  for (let wait = 250; !signal.aborted; wait = Math.min(wait * 2, 5_000)) {
    try {
      return await NativeConnection.connect(temporalConnection(config));
    } catch (error) {
      log('Temporal cannot be reached yet', { error: String(error) });
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

async function openPorts(config: Config, log: Log): Promise<Ports> {
  const store = openStore(mongoUrl(config.mongo), config.mongo.db);
  const client = await connectTemporal(config);
  const secrets = openVault(config.home, config.dirs);
  // As Temporal Web shows it.
  const workerId = `${process.pid}@${hostname()}`;
  const onError = (error: unknown): void => log('progress was not shown', { error: String(error) });
  const progress = createProgressSink(store, onError, workerId);
  const holder = `worker-${process.pid}-${randomBytes(4).toString('hex')}`;
  const bandwidth = createBandwidth({ store, holder, log });
  const turns = createTurns({ store, client, settings: config.owners ?? {}, log });
  return { config, store, client, secrets, progress, bandwidth, turns, log };
}

async function createWorkers(connection: NativeConnection, ports: Ports): Promise<Worker[]> {
  const { worker, temporal } = ports.config;
  return await Promise.all(
    worker.queues.map((queue) =>
      Worker.create({
        connection,
        namespace: temporal.namespace,
        taskQueue: QUEUES[queue],
        // A pause or a cancellation reaches an activity in the answer to its heartbeat.
        maxHeartbeatThrottleInterval: '1s',
        shutdownGraceTime: '5s',
        shutdownForceTime: '15s',
        ...queueOptions(queue, ports),
      }),
    ),
  );
}

function startKeeping({ store, client, config, turns }: Ports, log: Log): Keeper {
  void ensureIndexes(store).catch((error: unknown) =>
    log('indexes could not be made yet', { error: String(error) }),
  );
  const { dirs: roots, quietMs } = config;
  return startKeeper({ store, client, engine: createEngine(client), roots, quietMs, turns, log });
}

async function runUntil(
  workers: readonly Worker[],
  { signal, keeper, log }: { signal: AbortSignal; keeper: Keeper | undefined; log: Log },
): Promise<void> {
  const running = Promise.all(workers.map((worker) => worker.run()));
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  if (signal.aborted) shutdown();
  signal.addEventListener('abort', shutdown, { once: true });
  log('the worker is ready', { queues: workers.map((worker) => worker.options.taskQueue) });
  try {
    await running;
  } finally {
    shutdown();
    await keeper?.stop();
  }
}
