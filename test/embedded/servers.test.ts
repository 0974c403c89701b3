// The embedded servers: they keep their data, move to other ports, and say clearly why they cannot start.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { loadConfig } from '../../src/config/env.js';
import { SEARCH_ATTRIBUTES } from '../../src/domain/ids.js';
import { type EmbeddedMongo, startMongo } from '../../src/embedded/mongo.js';
import { type EmbeddedTemporal, startTemporal } from '../../src/embedded/temporal.js';
import { provideTool, type ToolName } from '../../src/embedded/tools.js';
import type { Daemon } from '../../src/process/daemon.js';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'sluice-embedded-'));
const tool = (name: ToolName) => provideTool(name, loadConfig(), () => {});
const running: Daemon[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((daemon) => daemon.stop(10_000)));
});

async function mongoIn(
  directory: string,
  changes: { path?: string; port?: number; version?: string } = {},
): Promise<EmbeddedMongo> {
  const { path, version } = await tool('mongod');
  const program = { path: changes.path ?? path, version: changes.version ?? version };
  const logFile = join(directory, 'mongod.log');
  const mongo = await startMongo({ program, directory, logFile, port: changes.port ?? 0 });
  running.push(mongo.daemon);
  return mongo;
}

async function temporalIn(
  directory: string,
  changes: { path?: string; port?: number; uiPort?: number; version?: string } = {},
): Promise<EmbeddedTemporal> {
  const { path, version } = await tool('temporal');
  const temporal = await startTemporal({
    program: { path: changes.path ?? path, version: changes.version ?? version },
    directory,
    logFile: join(directory, 'temporal.log'),
    namespace: 'default',
    port: changes.port ?? 0,
    uiPort: changes.uiPort ?? 0,
  });
  running.push(temporal.daemon);
  return temporal;
}

async function takePort(): Promise<{ port: number; free: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, free: () => server.close() };
}

test('MongoDB keeps its data and takes writes again on another port', async () => {
  const directory = scratch();
  const first = await mongoIn(directory);
  const client = await MongoClient.connect(first.url);
  await client.db('x').collection('y').insertOne({ kept: true });
  await client.close();
  expect(await first.daemon.stop(10_000)).toMatchObject({ code: 0 });

  const second = await mongoIn(directory);
  expect(second.port).not.toBe(first.port);
  const again = await MongoClient.connect(second.url, { serverSelectionTimeoutMS: 5_000 });
  const collection = again.db('x').collection('y');
  await collection.insertOne({ kept: false }, { writeConcern: { w: 'majority' } });
  expect(await collection.countDocuments({ kept: true })).toBe(1);
  const stream = collection.watch();
  const change = stream.next();
  await collection.insertOne({ seen: 1 });
  expect(await change).toMatchObject({ operationType: 'insert' });
  await stream.close();
  await again.close();
});

test('MongoDB comes back after SIGKILL', async () => {
  const directory = scratch();
  const first = await mongoIn(directory);
  first.daemon.kill();
  expect(await first.daemon.exited).toMatchObject({ signal: 'SIGKILL' });
  const second = await mongoIn(directory, { port: first.port });
  expect(second.port).toBe(first.port);
});

test('Temporal has our search attributes, keeps histories 30 days, and keeps its data', async () => {
  const directory = scratch();
  const first = await temporalIn(directory);
  const connection = await Connection.connect({ address: first.address });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({
    namespace: 'default',
  });
  expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining([...SEARCH_ATTRIBUTES]));
  const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
  await connection.workflowService.startWorkflowExecution({
    namespace: 'default',
    workflowId: 'kept',
    requestId: 'kept',
    workflowType: { name: 'none' },
    taskQueue: { name: 'none' },
  });
  await connection.close();
  expect(await first.daemon.stop(10_000)).toMatchObject({ code: 0 });

  const second = await temporalIn(directory);
  const again = await Connection.connect({ address: second.address });
  const kept = await again.workflowService.describeWorkflowExecution({
    namespace: 'default',
    execution: { workflowId: 'kept' },
  });
  expect(kept.workflowExecutionInfo?.execution?.workflowId).toBe('kept');
  await again.close();
});

test('a taken port is an error that names its variable', async () => {
  const taken = await takePort();
  const { port } = taken;
  await expect(mongoIn(scratch(), { port })).rejects.toMatchObject({
    code: 'port_taken',
    message: expect.stringContaining(
      `Port ${port} is taken by another program; end it, or set SLUICE_MONGO_PORT`,
    ),
  });
  await expect(temporalIn(scratch(), { port })).rejects.toMatchObject({
    code: 'port_taken',
    message: expect.stringContaining('SLUICE_TEMPORAL_PORT'),
  });
  await expect(temporalIn(scratch(), { uiPort: port })).rejects.toMatchObject({
    code: 'port_taken',
    message: expect.stringContaining('SLUICE_TEMPORAL_UI_PORT'),
  });
  taken.free();
});

/** The real program behind a script that loses the race for a port the first time, as the program words it. */
function losesFirstRace(directory: string, real: string, words: string): string {
  const script = join(directory, 'unlucky.sh');
  const lost = join(directory, 'lost');
  const first = `if [ ! -e ${lost} ]; then touch ${lost}; echo "${words}"; exit 1; fi`;
  writeFileSync(script, `#!/bin/sh\n${first}\nexec ${real} "$@"\n`, { mode: 0o755 });
  return script;
}

test.each(['temporal', 'mongod'] as const)(
  'a port that another program takes meanwhile costs %s a second start, no more',
  async (name) => {
    const directory = scratch();
    const words = 'listen tcp 127.0.0.1:1: bind: Address already in use';
    const path = losesFirstRace(directory, (await tool(name)).path, words);
    const start = name === 'temporal' ? temporalIn : mongoIn;
    const { daemon } = await start(directory, { path });
    expect(daemon.ended).toBe(false);
    expect(readFileSync(join(directory, `${name}.log`), 'utf8')).toContain(words);
  },
);

test('a database of another version is an error that names its stamp and the remedy', async () => {
  const directory = scratch();
  const mongo = await mongoIn(directory);
  await mongo.daemon.stop(10_000);
  await expect(mongoIn(directory, { version: '99.1.2' })).rejects.toMatchObject({
    code: 'other_database',
    message: expect.stringMatching(
      /version\.json.*but this is MongoDB 99\.1.*SLUICE_MONGOD_BIN.*move .* away/,
    ),
  });
  const temporal = scratch();
  writeFileSync(join(temporal, 'temporal.db'), '');
  writeFileSync(join(temporal, 'version.json'), '{"server":"Temporal CLI","version":"0.1.0"}');
  await expect(temporalIn(temporal)).rejects.toMatchObject({
    code: 'other_database',
    message: expect.stringMatching(/Temporal CLI 0\.1\.0.*version\.json.*SLUICE_TEMPORAL_BIN/),
  });
  expect(readFileSync(join(temporal, 'temporal.db'), 'utf8')).toBe('');
});

test('a server that cannot start is an error that names its log, and nothing is left over', async () => {
  const directory = scratch();
  writeFileSync(join(directory, 'data'), 'a file where the directory should be');
  const fault = await mongoIn(directory).catch((error: unknown) => error);
  expect(fault).toMatchObject({ code: 'server_not_ready' });
  expect(String(fault)).toContain('mongod.log');
});
