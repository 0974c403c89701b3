// The embedded Temporal server with Temporal Web: one process, one SQLite file.
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { type Daemon, startDaemon } from '../process/daemon.js';
import { prepareNamespace } from './namespace.js';
import { claimPort } from './ports.js';
import { waitReady, whilePortsAreFree } from './ready.js';
import { checkStamp } from './version-stamp.js';

export interface TemporalOptions {
  readonly program: { readonly path: string; readonly version: string };
  /** Directory of the database. */
  readonly directory: string;
  readonly logFile: string;
  readonly namespace: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly uiPort: number;
}

export interface EmbeddedTemporal {
  readonly daemon: Daemon;
  readonly port: number;
  readonly uiPort: number;
  /** host:port */
  readonly address: string;
  readonly uiUrl: string;
}

/**
 * What makes one server on one machine fast: no rate limit on reading its own queues, no allowance for clock
 * skew between hosts, one partition per queue (then priority and fairness are exact), fairness itself.
 * And what lets a run stand a flood of messages: at the default of 100 the server ends a workflow task during which
 * more came, and the next one has all of them to hear, takes longer, and is ended too (docs/operations.md).
 */
const DYNAMIC_CONFIG: Readonly<Record<string, number | string | boolean>> = {
  'history.transferProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 2000,
  'history.visibilityProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxTimeShift': '10ms',
  'history.maximumBufferedEventsBatch': 10000,
  'system.enableActivityEagerExecution': true,
  'matching.enableFairness': true,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
};

/** Without these two a file database is two to three times slower; a power loss may cost the last writes. */
const PRAGMAS = ['journal_mode=wal', 'synchronous=1'];

const DATABASE = 'temporal.db';

/**
 * Starts the server and prepares its namespace.
 * @throws Fault `port_taken`, `other_database`, `server_not_ready`
 */
export async function startTemporal(options: TemporalOptions): Promise<EmbeddedTemporal> {
  const { directory, program } = options;
  checkStamp({
    directory,
    data: DATABASE,
    server: 'Temporal CLI',
    version: program.version,
    variable: 'SLUICE_TEMPORAL_BIN',
  });
  return await whilePortsAreFree(options.logFile, () => launch(options));
}

async function launch(options: TemporalOptions): Promise<EmbeddedTemporal> {
  const port = await claimPort(options.port, 'SLUICE_TEMPORAL_PORT');
  const uiPort = await claimPort(options.uiPort, 'SLUICE_TEMPORAL_UI_PORT');
  const daemon = startDaemon({
    name: 'temporal',
    command: options.program.path,
    args: serverArguments(options, port, uiPort),
    env: { HOME: options.directory },
    logFile: options.logFile,
  });
  const address = `127.0.0.1:${port}`;
  try {
    await waitReady(daemon, () => prepare(address, options.namespace));
  } catch (error) {
    daemon.kill();
    throw error;
  }
  return { daemon, port, uiPort, address, uiUrl: `http://127.0.0.1:${uiPort}` };
}

function serverArguments({ directory, namespace }: TemporalOptions, port: number, uiPort: number): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${port}`, '--ui-port', `${uiPort}`],
    ...['--db-filename', join(directory, DATABASE), '--namespace', namespace],
    ...['--log-level', 'warn', '--log-format', 'json'],
    ...PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
    ...Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${JSON.stringify(value)}`,
    ]),
  ];
}

async function prepare(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '1s' });
  try {
    await prepareNamespace(connection, namespace);
  } finally {
    await connection.close();
  }
}
