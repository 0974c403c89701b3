// Starts and keeps the whole of Sluice on one machine: databases first, then API and worker.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { childEnvironment, PROJECT_ROOT } from '../config/env.js';
import { type OwnProcess, ownArguments } from '../config/own-process.js';
import { Fault } from '../domain/fault.js';
import { type Daemon, startDaemon } from '../process/daemon.js';
import { commandOf } from '../process/proc.js';
import { type Children, createChildren } from './children.js';
import { type Databases, type SupervisorTools, startDatabases } from './databases.js';
import { claimPort } from './ports.js';
import { waitReady } from './ready.js';
import { endLeftovers, findRunning, type RunRecord, recordOf } from './run-file.js';
import { lockHome } from './supervisor-lock.js';

export interface Running {
  /** Address of the API. */
  readonly url: string;
  readonly temporalUrl: string;
  /** Stops everything: API, worker, Temporal, MongoDB. */
  stop(): Promise<void>;
  /** Kills everything, now. */
  kill(): void;
}

/** From SIGTERM to SIGKILL of one child; a worker needs up to 15 s. */
const GRACE_MS = 20_000;
const READY_MS = 60_000;

/**
 * Starts everything and keeps it running; resolves when the API says that it is ready.
 * @param say hears what happens to the children
 * @throws Fault `already_running`, `port_taken`, `other_database`, `server_not_ready`; nothing is left running then
 */
export async function startSupervisor(
  config: Config,
  tools: SupervisorTools,
  say: (text: string) => void,
): Promise<Running> {
  const { home } = config;
  refuseSecond(home);
  const unlock = await lockHome(home);
  try {
    return await startAlone(config, tools, say, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** As the only one on this home, until `unlock` is called. */
async function startAlone(
  config: Config,
  tools: SupervisorTools,
  say: (text: string) => void,
  unlock: () => void,
): Promise<Running> {
  const { home } = config;
  const left = await endLeftovers(home, GRACE_MS);
  if (left.length > 0) say(`ended what an earlier run had left: ${left.join(', ')}`);
  const port = await claimPort(config.api.port, 'PORT', config.api.host);
  const url = urlOf(config.api.host, port);
  mkdirSync(join(home, 'logs'), { recursive: true });
  const children = createChildren(home, firstRecord(url), GRACE_MS, say);
  try {
    const databases = await startDatabases(config, tools, children);
    const api = await startOwn(config, children, environment(config, tools, databases, port), url);
    await waitReady(api, () => expectOk(`${url}/readyz`), READY_MS);
    return {
      url,
      temporalUrl: databases.temporalUrl,
      stop: async () => {
        await children.stop();
        unlock();
      },
      kill: () => {
        children.kill();
        unlock();
      },
    };
  } catch (error) {
    await children.stop();
    throw error;
  }
}

/** The whole environment of API and worker; they start no servers of their own. */
function environment(
  config: Config,
  tools: SupervisorTools,
  databases: Databases,
  port: number,
): Record<string, string> {
  return childEnvironment({
    SLUICE_HOME: config.home,
    SLUICE_CACHE: config.cache,
    PORT: String(port),
    TEMPORAL_ADDRESS: databases.temporalAddress,
    SLUICE_TEMPORAL_UI_URL: databases.temporalUrl,
    MONGO_URL: databases.mongoUrl,
    SLUICE_PYTHON: tools.python.path,
  });
}

/** Starts API and worker, children of this process that run the same program; returns the API. */
async function startOwn(
  config: Config,
  children: Children,
  env: Record<string, string>,
  url: string,
): Promise<Daemon> {
  const start = (name: OwnProcess): Daemon =>
    startDaemon({
      name,
      command: process.execPath,
      args: ownArguments(name),
      env,
      logFile: join(config.home, 'logs', `${name}.log`),
    });
  let api: Daemon | undefined;
  const startApi = async (): Promise<Daemon> => {
    const daemon = start('api');
    await waitReady(daemon, () => expectOk(`${url}/healthz`)).catch((error: unknown) => {
      daemon.kill();
      throw error;
    });
    api = daemon;
    return daemon;
  };
  await Promise.all([children.add('api', startApi), children.add('worker', async () => start('worker'))]);
  if (api === undefined) throw new Fault('server_not_ready', 'The API did not start.');
  return api;
}

async function expectOk(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}

function refuseSecond(home: string): void {
  const running = findRunning(home);
  if (running === undefined) return;
  const { url, supervisor } = running;
  throw new Fault(
    'already_running',
    `Sluice is already running on ${home} at ${url} (process ${supervisor.pid}). Use it, stop it, or set SLUICE_HOME to another directory.`,
    { facts: { url, pid: supervisor.pid } },
  );
}

function firstRecord(url: string): RunRecord {
  const { version } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const supervisor = recordOf(process.pid, commandOf(process.pid) ?? '');
  return { version, startedAt: new Date().toISOString(), supervisor, url, children: {} };
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
