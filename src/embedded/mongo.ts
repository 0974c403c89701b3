// The embedded MongoDB: one mongod as a replica set of one, since change streams and transactions need a set.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, MongoClient, MongoServerError } from 'mongodb';
import { type Daemon, startDaemon } from '../process/daemon.js';
import { claimPort } from './ports.js';
import { waitReady, whilePortsAreFree } from './ready.js';
import { checkStamp } from './version-stamp.js';

export interface MongoOptions {
  readonly program: { readonly path: string; readonly version: string };
  /** Directory of the stamp; the data lies below it. */
  readonly directory: string;
  readonly logFile: string;
  /** 0 = any free one. */
  readonly port: number;
}

export interface EmbeddedMongo {
  readonly daemon: Daemon;
  readonly port: number;
  readonly url: string;
}

const SET = 'rs0';
const CACHE_GB = 0.5;
const OPLOG_MB = 256;
const NOT_YET_INITIALIZED = 94;

/**
 * Starts the server, makes or adjusts its replica set, and waits until it takes writes.
 * @throws Fault `port_taken`, `other_database`, `server_not_ready`
 */
export async function startMongo(options: MongoOptions): Promise<EmbeddedMongo> {
  const { directory, program } = options;
  checkStamp({
    directory,
    data: join('data', 'WiredTiger'),
    server: 'MongoDB',
    version: seriesOf(program.version),
    variable: 'SLUICE_MONGOD_BIN',
  });
  return await whilePortsAreFree(options.logFile, () => launch(options));
}

async function launch({ directory, program, logFile, port: wanted }: MongoOptions): Promise<EmbeddedMongo> {
  const port = await claimPort(wanted, 'SLUICE_MONGO_PORT');
  const daemon = startDaemon({
    name: 'mongod',
    command: program.path,
    args: serverArguments(join(directory, 'data'), port),
    env: { HOME: directory },
    logFile,
  });
  try {
    await becomePrimary(daemon, `127.0.0.1:${port}`);
  } catch (error) {
    daemon.kill();
    throw error;
  }
  return { daemon, port, url: `mongodb://127.0.0.1:${port}/?replicaSet=${SET}` };
}

/** Servers of one series (6.0, 7.0) read each other's files. */
function seriesOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function serverArguments(data: string, port: number): string[] {
  if (!existsSync(data)) mkdirSync(data, { recursive: true });
  return [
    ...['--dbpath', data, '--port', `${port}`, '--bind_ip', '127.0.0.1', '--replSet', SET],
    ...['--wiredTigerCacheSizeGB', `${CACHE_GB}`, '--oplogSize', `${OPLOG_MB}`, '--nounixsocket', '--quiet'],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
  ];
}

async function becomePrimary(daemon: Daemon, host: string): Promise<void> {
  const client = await waitReady(daemon, () => connect(host));
  const admin = client.db('admin');
  const command = (document: Document): Promise<Document> => admin.command(document);
  try {
    await waitReady(daemon, () => configureSet(command, host));
    await waitReady(daemon, async () => {
      const { isWritablePrimary } = await command({ hello: 1 });
      if (isWritablePrimary !== true) throw new Error('the replica set has no primary yet');
    });
  } finally {
    await client.close();
  }
}

/** A new client for every try: one whose first connection failed stays closed. */
async function connect(host: string): Promise<MongoClient> {
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, {
    serverSelectionTimeoutMS: 300,
    heartbeatFrequencyMS: 500,
  });
  try {
    return await client.connect();
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** A set of this one member. Its address is stored in the database, so a changed port must be told to it. */
async function configureSet(command: (document: Document) => Promise<Document>, host: string): Promise<void> {
  const config = await currentConfig(command);
  if (config === undefined) {
    await command({ replSetInitiate: { _id: SET, members: [{ _id: 0, host }] } });
  } else if (config.members[0]?.host !== host || config.members.length !== 1) {
    const changed = { ...config, version: config.version + 1, members: [{ _id: 0, host }] };
    await command({ replSetReconfig: changed, force: true });
  }
}

interface SetConfig extends Document {
  readonly version: number;
  readonly members: readonly { readonly host: string }[];
}

async function currentConfig(
  command: (document: Document) => Promise<Document>,
): Promise<SetConfig | undefined> {
  try {
    const { config } = await command({ replSetGetConfig: 1 });
    return config as SetConfig;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === NOT_YET_INITIALIZED) return undefined;
    throw error;
  }
}
