// Starts one Temporal and one MongoDB for the whole run, bundles the workflows once, and tells the tests by variables.
import { existsSync, mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { loadConfig, PROJECT_ROOT } from '../../src/config/env.js';
import { startMongo } from '../../src/embedded/mongo.js';
import { startTemporal } from '../../src/embedded/temporal.js';
import { provideTool } from '../../src/embedded/tools.js';
import type { Daemon } from '../../src/process/daemon.js';

/** What the teardown ends; both run in jest's own process. */
export interface TestServers {
  readonly directory: string;
  readonly daemons: readonly Daemon[];
}
declare global {
  var sluiceTestServers: TestServers | undefined;
}

/** SLUICE_TEST_SERVERS=none: for tests that need no servers (npm run check). */
export default async function globalSetup(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  const servers = process.env.SLUICE_TEST_SERVERS === 'none' ? [] : startServers(directory);
  const [daemons] = await Promise.all([servers, bundle(join(directory, 'workflows.bundle.js'))]);
  globalThis.sluiceTestServers = { directory, daemons };
}

async function startServers(directory: string): Promise<Daemon[]> {
  const config = loadConfig();
  const provide = (name: 'temporal' | 'mongod' | 'python') =>
    provideTool(name, config, (text) => process.stderr.write(`${text}\n`));
  const tools = await Promise.all([provide('temporal'), provide('mongod'), provide('python')]);
  const [temporalProgram, mongodProgram, python] = tools;
  const [temporal, mongo] = await Promise.all([
    startTemporal({
      program: temporalProgram,
      directory: join(directory, 'temporal'),
      logFile: join(directory, 'temporal.log'),
      namespace: 'default',
      port: 0,
      uiPort: 0,
    }),
    startMongo({
      program: mongodProgram,
      directory: join(directory, 'mongo'),
      logFile: join(directory, 'mongod.log'),
      port: 0,
    }),
  ]);
  process.env.SLUICE_TEST_TEMPORAL = temporal.address;
  process.env.SLUICE_TEST_TEMPORAL_UI = temporal.uiUrl;
  process.env.SLUICE_TEST_MONGO = mongo.url;
  process.env.SLUICE_TEMPORAL_BIN = temporalProgram.path;
  process.env.SLUICE_MONGOD_BIN = mongodProgram.path;
  process.env.SLUICE_PYTHON = python.path;
  return [temporal.daemon, mongo.daemon];
}

async function bundle(target: string): Promise<void> {
  const workflowsPath = join(PROJECT_ROOT, 'src', 'workflows', 'index.ts');
  if (!existsSync(workflowsPath)) return;
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  await writeFile(target, code);
  process.env.SLUICE_TEST_BUNDLE = target;
}
