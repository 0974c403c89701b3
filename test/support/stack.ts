// A whole Sluice of its own for one test file: servers, API and worker as real processes that may be killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Config } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/env.js';
import { type OwnProcess, ownArguments } from '../../src/config/own-process.js';
import type { DatasetDocument, JobDocument } from '../../src/contracts/documents.js';
import { datasetWorkflowId } from '../../src/domain/ids.js';
import { type EmbeddedMongo, startMongo } from '../../src/embedded/mongo.js';
import { claimPort } from '../../src/embedded/ports.js';
import { type EmbeddedTemporal, startTemporal } from '../../src/embedded/temporal.js';
import { findTool } from '../../src/embedded/tools.js';
import { openStore, type Store } from '../../src/store/mongo.js';

export class Stack {
  readonly home = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));
  readonly config: Config;
  temporal!: EmbeddedTemporal;
  mongo!: EmbeddedMongo;
  client!: Client;
  store!: Store;
  api: ChildProcess | undefined;
  worker: ChildProcess | undefined;
  apiUrl = '';
  readonly #others: ChildProcess[] = [];
  readonly #more: Readonly<Record<string, string>>;

  constructor(more: Readonly<Record<string, string>> = {}) {
    this.#more = more;
    this.config = loadConfig({ ...process.env, SLUICE_HOME: this.home, ...more });
  }

  static async start(more: Readonly<Record<string, string>> = {}): Promise<Stack> {
    const stack = new Stack(more);
    await Promise.all([stack.startTemporal(), stack.startMongo()]);
    stack.client = new Client({ connection: await Connection.connect({ address: stack.temporal.address }) });
    stack.store = openStore(stack.mongo.url, stack.config.mongo.db);
    await Promise.all([stack.startApi(), stack.startWorker()]);
    return stack;
  }

  get in(): string {
    return this.config.dirs.in;
  }
  get out(): string {
    return this.config.dirs.out;
  }

  async startTemporal(): Promise<void> {
    const program = await tool('temporal', this.config);
    this.temporal = await startTemporal({
      program,
      directory: join(this.home, 'temporal'),
      logFile: join(this.home, 'temporal.log'),
      namespace: 'default',
      port: this.temporal?.port ?? 0,
      uiPort: this.temporal?.uiPort ?? 0,
    });
  }

  async startMongo(): Promise<void> {
    const program = await tool('mongod', this.config);
    this.mongo = await startMongo({
      program,
      directory: join(this.home, 'mongo'),
      logFile: join(this.home, 'mongo.log'),
      port: this.mongo?.port ?? 0,
    });
  }

  async startApi(): Promise<void> {
    const port = this.apiUrl === '' ? await claimPort(0, 'PORT') : new URL(this.apiUrl).port;
    this.apiUrl = `http://127.0.0.1:${port}`;
    this.api = this.#spawn('api', { PORT: String(port) });
    await until('the API answers', async () => (await fetch(`${this.apiUrl}/healthz`)).ok, 60_000);
  }

  /** Another API beside the first, with settings of its own; `close` ends it too. */
  async startSecondApi(env: Readonly<Record<string, string>> = {}): Promise<string> {
    const port = await claimPort(0, 'PORT');
    const url = `http://127.0.0.1:${port}`;
    this.#others.push(this.#spawn('api', { ...env, PORT: String(port) }));
    await until('the second API answers', async () => (await fetch(`${url}/healthz`)).ok);
    return url;
  }

  async startWorker(): Promise<void> {
    this.worker = this.#spawn('worker', {});
    await until('a worker polls', async () => (await fetch(`${this.apiUrl}/readyz`)).ok, 60_000);
  }

  #spawn(command: OwnProcess, env: Record<string, string>): ChildProcess {
    const log = openSync(join(this.home, `${command}.log`), 'a');
    const child = spawn(process.execPath, ownArguments(command), {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        SLUICE_HOME: this.home,
        TEMPORAL_ADDRESS: this.temporal.address,
        MONGO_URL: this.mongo.url,
        ...this.#more,
        ...env,
      },
      stdio: ['ignore', log, log],
    });
    child.once('exit', (code, signal) =>
      appendFileSync(join(this.home, `${command}.log`), `-- ended: ${code ?? signal}\n`),
    );
    return child;
  }

  async dataset(uuid: string): Promise<DatasetDocument> {
    const row = await this.store.datasets.findOne({ uuid });
    if (row === null) throw new Error(`no row for ${uuid}`);
    return row;
  }

  async job(jobId: string): Promise<JobDocument> {
    const row = await this.store.jobs.findOne({ job_id: jobId });
    if (row === null) throw new Error(`no row for ${jobId}`);
    return row;
  }

  /** Waits for a status of the dataset and the end of its run; fails at once when another settled one comes instead. */
  async settled(uuid: string, wanted = 'done', ms = 60_000): Promise<DatasetDocument> {
    const settled = ['done', 'failed', 'cancelled', 'upload error', 'unzip error', 'conversion error'];
    let row = await this.dataset(uuid);
    await until(
      `dataset ${uuid} is ${wanted}`,
      async () => {
        row = await this.dataset(uuid);
        if (row.status !== wanted && settled.includes(row.status)) {
          throw new Stop(`${row.status} (${row.sluice.failure?.code}): ${row.error_message}`);
        }
        return row.status === wanted;
      },
      ms,
    );
    // The row says it a moment before the run closes.
    await until(
      'its run closed',
      async () => (await this.workflow(uuid).describe()).status.name !== 'RUNNING',
    );
    return row;
  }

  /** Status words of an entity, in the order in which they came. */
  async history(entity: string): Promise<string[]> {
    const rows = await this.store.history.find({ entity }).sort({ at: 1, revision: 1 }).toArray();
    return rows.map((row) => row.to);
  }

  workflow(uuid: string) {
    return this.client.workflow.getHandle(datasetWorkflowId(uuid));
  }

  async close(): Promise<void> {
    await Promise.all([this.api, this.worker, ...this.#others].map(stop));
    await this.client.connection.close();
    await this.store.client.close();
    await Promise.all([this.temporal.daemon.stop(5_000), this.mongo.daemon.stop(5_000)]);
    if (process.env['SLUICE_TEST_KEEP'] === undefined) await rm(this.home, { recursive: true, force: true });
  }
}

/** An end to waiting: the wanted thing cannot come any more. */
export class Stop extends Error {}

/** Waits until it holds; errors count as "not yet". */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  ms = 30_000,
  everyMs = 50,
): Promise<void> {
  const end = Date.now() + ms;
  let last: unknown;
  while (Date.now() < end) {
    try {
      if (await holds()) return;
    } catch (error) {
      if (error instanceof Stop) throw error;
      last = error;
    }
    await sleep(everyMs);
  }
  throw new Error(`not within ${ms} ms: ${what}${last === undefined ? '' : ` (${String(last)})`}`);
}

/** SIGKILL, and wait until it is gone. */
export async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await gone;
  clearTimeout(timer);
}

async function tool(name: 'temporal' | 'mongod', config: Config): Promise<{ path: string; version: string }> {
  const found = await findTool(name, config);
  if (!('path' in found)) throw new Error(`${name}: ${found.problem}`);
  return found;
}
