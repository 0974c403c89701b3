import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  endLeftovers,
  endProcess,
  findRunning,
  readRun,
  recordOf,
  writeRun,
} from '../../src/embedded/run-file.js';
import { lockHome } from '../../src/embedded/supervisor-lock.js';
import { type Daemon, startDaemon } from '../../src/process/daemon.js';
import { commandOf, startTimeOf } from '../../src/process/proc.js';
import { endAfterEach, exitOf, isReady, scratch, sluice, until, upAndReady } from '../support/up.js';

const LIMIT = 120_000;
const NAMES = ['api', 'mongod', 'temporal', 'worker'];
endAfterEach();

test(
  'starts everything, refuses a second start, heals dead children, stops cleanly',
  async () => {
    const home = scratch();
    const { up, url, supervisor, children } = await upAndReady(home);
    expect(supervisor.pid).toBe(up.child.pid);
    expect(Object.keys(children).toSorted()).toEqual(NAMES);
    expect(await isReady(url)).toBe(true);

    const second = sluice(home, ['up']);
    expect(await exitOf(second)).not.toBe(0);
    expect(second.output()).toContain(`already running on ${home} at ${url}`);

    for (const name of NAMES) {
      const pid = children[name]?.pid ?? 0;
      process.kill(pid, 'SIGKILL');
      await until(() => (readRun(home)?.children[name]?.pid ?? pid) !== pid, `${name} to come back`);
    }
    await until(() => isReady(url), 'readiness after four deaths');

    const last = readRun(home)?.children ?? {};
    up.child.kill('SIGTERM');
    expect(await exitOf(up)).toBe(0);
    for (const name of NAMES) expect(startTimeOf(last[name]?.pid ?? 0)).toBeUndefined();
    expect(existsSync(join(home, 'run.json'))).toBe(false);
  },
  LIMIT,
);

test(
  'after SIGKILL of the supervisor nothing is left over, and the next start succeeds on the same state',
  async () => {
    const home = scratch();
    const first = await upAndReady(home);
    first.up.child.kill('SIGKILL');
    const again = await upAndReady(home);
    for (const name of NAMES) expect(startTimeOf(first.children[name]?.pid ?? 0)).toBeUndefined();
    expect(await isReady(again.url)).toBe(true);
    again.up.child.kill('SIGINT');
    expect(await exitOf(again.up)).toBe(0);
  },
  LIMIT,
);

test('leftovers that outlived their supervisor are ended; a stranger with a reused pid is not', async () => {
  const home = scratch();
  const sleeper = (name: string): Daemon =>
    startDaemon({
      name,
      command: process.execPath,
      args: ['-e', 'setInterval(() => {}, 60000)'],
      env: {},
      logFile: join(home, `${name}.log`),
    });
  const leftover = sleeper('worker');
  const stranger = sleeper('api');
  await until(() => commandOf(stranger.pid) === stranger.commandLine, 'the stranger');
  await until(() => commandOf(leftover.pid) === leftover.commandLine, 'the leftover');
  writeRun(home, {
    version: '0.0.0',
    startedAt: new Date().toISOString(),
    supervisor: { pid: 2 ** 22 - 1, startTime: 1, command: 'gone' },
    url: 'http://127.0.0.1:1',
    children: {
      worker: recordOf(leftover.pid, leftover.commandLine),
      api: { pid: stranger.pid, startTime: 1, command: stranger.commandLine },
    },
  });
  expect(findRunning(home)).toBeUndefined();
  expect(await endLeftovers(home, 5_000)).toEqual(['worker']);
  expect(await leftover.exited).toMatchObject({ signal: 'SIGTERM' });
  expect(startTimeOf(stranger.pid)).toBe(stranger.startTime);
  await stranger.stop(1_000);
});

test('a leftover that ends by itself a moment before its signal is no error', async () => {
  const home = scratch();
  const spec = { name: 'worker', command: process.execPath, args: ['-e', '0'], env: {} };
  const gone = startDaemon({ ...spec, logFile: join(home, 'worker.log') });
  const record = recordOf(gone.pid, gone.commandLine);
  await gone.exited;
  await expect(endProcess(record, 1_000)).resolves.toBeUndefined();
});

test('of two that start together one gets the home; a dead one does not keep it', async () => {
  const home = scratch();
  writeFileSync(join(home, `supervisor-${2 ** 22 - 1}-1.lock`), '');
  const unlock = await lockHome(home);
  await expect(lockHome(home)).rejects.toMatchObject({ code: 'already_running' });
  expect(readdirSync(home)).toHaveLength(1);
  unlock();

  const other = startDaemon({
    name: 'other',
    command: process.execPath,
    args: ['-e', 'setInterval(() => {}, 60000)'],
    env: {},
    logFile: join(scratch(), 'other.log'),
  });
  const theirs = join(home, `supervisor-${other.pid}-${other.startTime}.lock`);
  writeFileSync(theirs, '');
  await expect(lockHome(home)).rejects.toMatchObject({ code: 'already_running', facts: { pid: other.pid } });
  // One that only began as well steps back, and then the home is free.
  const waiting = lockHome(home);
  rmSync(theirs);
  (await waiting)();
  expect(readdirSync(home)).toEqual([]);
  await other.stop(1_000);
});

test('a taken port and a HOST that is not loopback are refused with the variable, and nothing is started', async () => {
  const home = scratch();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const taken = sluice(home, ['up'], { PORT: String(port) });
  expect(await exitOf(taken)).toBe(3);
  expect(taken.output()).toContain(`Port ${port} is taken by another program; end it, or set PORT`);
  server.close();

  const open = sluice(home, ['up'], { HOST: '0.0.0.0', SLUICE_QUEUES: 'nothing' });
  expect(await exitOf(open)).toBe(2);
  expect(open.output()).toMatch(/HOST: must be 127\.0\.0\.1.*no authentication/);
  expect(open.output()).toContain('SLUICE_QUEUES:');
  expect(existsSync(join(home, 'mongo'))).toBe(false);
}, 60_000);

test('doctor names what is there and what is missing', async () => {
  const home = scratch();
  const good = sluice(home, ['doctor', '--json']);
  expect(await exitOf(good)).toBe(0);
  const { ok, findings } = JSON.parse(good.output()) as { ok: boolean; findings: { name: string }[] };
  expect(ok).toBe(true);
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['node', 'temporal', 'mongod', 'python', 'server']),
  );
  const bad = sluice(home, ['doctor'], { SLUICE_MONGOD_BIN: process.execPath });
  expect(await exitOf(bad)).toBe(1);
  expect(bad.output()).toMatch(/MISSING\s+mongod .*SLUICE_MONGOD_BIN/);
}, 60_000);
