// Servers for a bench: an embedded Temporal and MongoDB with Sluice's own flags, and API and worker as processes.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Config } from '../src/config/config.js';
import { childEnvironment, loadConfig } from '../src/config/env.js';
import { ownArguments } from '../src/config/own-process.js';
import { startMongo } from '../src/embedded/mongo.js';
import { claimPort } from '../src/embedded/ports.js';
import { startTemporal } from '../src/embedded/temporal.js';
import { provideTool } from '../src/embedded/tools.js';
import { type Daemon, startDaemon } from '../src/process/daemon.js';
import { openStore, type Store } from '../src/store/mongo.js';
import { freshHome } from './home.js';

export interface Servers {
  readonly home: string;
  /** With the addresses of these servers. */
  readonly config: Config;
  readonly temporalAddress: string;
  readonly mongoUrl: string;
  readonly client: Client;
  readonly store: Store;
  /** Processes of the servers. */
  readonly pids: readonly number[];
  readonly versions: Readonly<Record<string, string>>;
}

/** A whole Sluice. */
export interface Stack extends Servers {
  readonly api: { readonly url: string; readonly port: number; readonly daemon: Daemon };
  readonly worker: Daemon;
}

type Say = (text: string) => void;

/** Does the work beside servers of its own, in a fresh directory; afterwards nothing is left of them. */
export async function withServers<T>(say: Say, work: (servers: Servers) => Promise<T>): Promise<T> {
  const home = freshHome();
  const daemons: Daemon[] = [];
  try {
    const servers = await startServers(home, daemons, say);
    try {
      return await work(servers);
    } finally {
      await Promise.all([servers.client.connection.close(), servers.store.client.close()]);
    }
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.stop(5_000)));
    await rm(home, { recursive: true, force: true });
  }
}

async function startServers(home: string, daemons: Daemon[], say: Say): Promise<Servers> {
  const bare = loadConfig(childEnvironment({ SLUICE_HOME: home }));
  const [temporalTool, mongodTool] = await Promise.all([
    provideTool('temporal', bare, say),
    provideTool('mongod', bare, say),
  ]);
  const temporal = await startTemporal({
    program: temporalTool,
    directory: join(home, 'temporal'),
    logFile: join(home, 'temporal.log'),
    namespace: 'default',
    port: 0,
    uiPort: 0,
  });
  daemons.push(temporal.daemon);
  const mongo = await startMongo({
    program: mongodTool,
    directory: join(home, 'mongo'),
    logFile: join(home, 'mongod.log'),
    port: 0,
  });
  daemons.push(mongo.daemon);
  const config = loadConfig(
    childEnvironment({ SLUICE_HOME: home, TEMPORAL_ADDRESS: temporal.address, MONGO_URL: mongo.url }),
  );
  const connection = await Connection.connect({ address: temporal.address });
  return {
    home,
    config,
    temporalAddress: temporal.address,
    mongoUrl: mongo.url,
    client: new Client({ connection }),
    store: openStore(mongo.url, config.mongo.db),
    pids: [temporal.daemon.pid, mongo.daemon.pid],
    versions: { temporal: temporalTool.version, mongod: mongodTool.version },
  };
}

/** Does the work beside a whole Sluice. */
export async function withStack<T>(say: Say, work: (stack: Stack) => Promise<T>): Promise<T> {
  return await withServers(say, async (servers) => {
    const port = await claimPort(0, 'PORT');
    const env = childEnvironment({
      SLUICE_HOME: servers.home,
      TEMPORAL_ADDRESS: servers.temporalAddress,
      MONGO_URL: servers.mongoUrl,
      PORT: String(port),
      NODE_OPTIONS: '',
    });
    const api = startNode(servers.home, 'api', ownArguments('api'), env);
    const worker = startNode(servers.home, 'worker', ownArguments('worker'), env);
    const url = `http://127.0.0.1:${port}`;
    try {
      await answering(`${url}/readyz`, [api, worker]);
      return await work({ ...servers, api: { url, port, daemon: api }, worker });
    } finally {
      await Promise.all([api.stop(20_000), worker.stop(20_000)]);
    }
  });
}

/** A Node program that ends with us. */
export function startNode(
  home: string,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = childEnvironment({ NODE_OPTIONS: '' }),
): Daemon {
  return startDaemon({ name, command: process.execPath, args, env, logFile: join(home, `${name}.log`) });
}

/** Waits until the address answers with success. @throws Error when a process ended first, or after a minute */
export async function answering(url: string, daemons: readonly Daemon[]): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
    const ended = daemons.find((daemon) => daemon.ended);
    if (ended !== undefined) throw new Error(`${ended.name} ended at its start; see ${ended.logFile}`);
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
  }
  throw new Error(`${url} did not answer within a minute`);
}
