// Temporal and MongoDB of one supervisor: embedded ones are started and kept, foreign ones are only named.
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { Fault } from '../domain/fault.js';
import type { Children } from './children.js';
import { startMongo } from './mongo.js';
import { startTemporal } from './temporal.js';
import type { Tool } from './tools.js';

/** Tools that are needed; a server that is run by somebody else needs none. */
export interface SupervisorTools {
  readonly temporal?: Tool;
  readonly mongod?: Tool;
  readonly python: Tool;
}

export interface Databases {
  /** host:port */
  readonly temporalAddress: string;
  readonly temporalUrl: string;
  /** May hold a password when it is a foreign one. */
  readonly mongoUrl: string;
}

/** Starts both at the same time. */
export async function startDatabases(
  config: Config,
  tools: SupervisorTools,
  children: Children,
): Promise<Databases> {
  // Settled, so that a failure of one does not leave the other one starting behind our back.
  const [temporal, mongo] = await Promise.allSettled([
    provideTemporal(config, tools.temporal, children),
    provideMongo(config, tools.mongod, children),
  ]);
  if (temporal.status === 'rejected') throw temporal.reason;
  if (mongo.status === 'rejected') throw mongo.reason;
  return { ...temporal.value, mongoUrl: mongo.value };
}

async function provideTemporal(
  config: Config,
  program: Tool | undefined,
  children: Children,
): Promise<Pick<Databases, 'temporalAddress' | 'temporalUrl'>> {
  const { address, uiUrl, namespace } = config.temporal;
  if (address !== undefined) return { temporalAddress: address, temporalUrl: uiUrl };
  if (program === undefined) throw new Fault('program_missing', 'The Temporal CLI was not provided.');
  const directory = join(config.home, 'temporal');
  const logFile = join(config.home, 'logs', 'temporal.log');
  // Started again it must be where it was, so ports that were chosen freely are kept.
  let ports = { port: config.temporal.port, uiPort: config.temporal.uiPort };
  await children.add('temporal', async () => {
    const { daemon, port, uiPort } = await startTemporal({
      program,
      directory,
      logFile,
      namespace,
      ...ports,
    });
    ports = { port, uiPort };
    return daemon;
  });
  const found = {
    temporalAddress: `127.0.0.1:${ports.port}`,
    temporalUrl: `http://127.0.0.1:${ports.uiPort}`,
  };
  children.note(found);
  return found;
}

async function provideMongo(config: Config, program: Tool | undefined, children: Children): Promise<string> {
  if (config.mongo.url !== undefined) return config.mongo.url;
  if (program === undefined) throw new Fault('program_missing', 'The MongoDB server was not provided.');
  const directory = join(config.home, 'mongo');
  const logFile = join(config.home, 'logs', 'mongod.log');
  let { port } = config.mongo;
  let url = '';
  await children.add('mongod', async () => {
    const started = await startMongo({ program, directory, logFile, port });
    ({ port, url } = started);
    return started.daemon;
  });
  children.note({ mongoUrl: url });
  return url;
}
