// The activity publishTo to real rsync daemons and over a real sshd: what arrives, what readers see, what is left behind.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RsyncTarget } from '../../src/contracts/targets.js';
import { filesHolding } from '../support/data.js';
import { type FaultProxy, type ProxyBehaviour, startFaultProxy } from '../support/fault-proxy.js';
import { signalProgramsIn } from '../support/proc.js';
import { seeded } from '../support/product.js';
import {
  PASSWORD,
  type Sshd,
  startRsyncDaemon,
  startSshd,
  type TestServer,
  USER,
} from '../support/rsync-servers.js';
import { CONTENTS, end, LISTS, MIB, newEnv, TargetBench } from '../support/target-bench.js';

const SMALL = { ...CONTENTS, 'visus/large.bin': seeded(MIB, 2) };
const SIZE = Object.values(CONTENTS).reduce((sum, { length }) => sum + length, 0);
let bench: TargetBench;
let far: string;
let daemon: TestServer;
let proxy: FaultProxy | undefined;

beforeEach(async () => {
  bench = await TargetBench.open(SMALL);
  far = join(bench.dir, 'far');
  await mkdir(join(far, 'products'), { recursive: true });
  await chmod(bench.dir, 0o755);
  daemon = await startRsyncDaemon(join(bench.dir, 'daemon'), far);
});
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
  await daemon.stop();
  await bench.close();
});

const mirror = (more: Partial<RsyncTarget> = {}): RsyncTarget => ({
  kind: 'rsync',
  name: 'mirror',
  via: 'daemon',
  host: '127.0.0.1',
  port: proxy?.port ?? daemon.port,
  user: USER,
  password: PASSWORD,
  path: 'drop/products',
  ...more,
});
async function behind(behaviour: ProxyBehaviour): Promise<FaultProxy> {
  proxy = await startFaultProxy(daemon.port, behaviour);
  return proxy;
}
const placeOf = (path = ''): string => join(far, 'products', bench.uuid, path);

/** Files at the far side; hidden ones too. */
function filesThere(): string[] {
  const entries = readdirSync(placeOf(), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return files.map((path) => path.slice(placeOf().length + 1)).sort();
}
/** Whether there is a file under the name that rsync gives it while it writes. */
const isWriting = (): boolean => filesThere().some((path) => /(^|\/)\.large\.bin\.\w{6}$/.test(path));
function prove(contents: Readonly<Record<string, Buffer>>): void {
  expect(filesThere()).toEqual([...Object.keys(contents), ...LISTS].sort());
  for (const [path, content] of Object.entries(contents)) {
    expect(readFileSync(placeOf(path)).equals(content)).toBe(true);
  }
}

test('a product arrives whole, is compared, and a second time nothing is sent', async () => {
  const answer = await bench.publish(mirror());
  const url = `rsync://127.0.0.1:${daemon.port}/drop/products/${bench.uuid}/`;
  expect(answer).toMatchObject({ url, files: 6, readBack: 6 });
  expect(answer.sent).toBe(answer.bytes);
  prove(SMALL);
  expect(((await stat(placeOf('visus.idx'))).mode & 0o777).toString(8)).toBe('644');
  expect(await bench.staged()).toEqual([]);
  await bench.forgetReceipts();
  expect(await bench.publish(mirror())).toMatchObject({ sent: 0, readBack: 6 });
});

test('readers see the old product until all of the new one is there; what is not of it goes', async () => {
  await bench.publish(mirror());
  const newer = { 'visus.idx': Buffer.from('(version)\n7\n'), 'other/0.bin': seeded(6 * MIB, 3) };
  await bench.make('b', newer);
  const { taken } = await behind({ paceTo: 6 * MIB });
  const seen = new Set<string>();
  const look = setInterval(() => {
    if (taken() < MIB || taken() > 5 * MIB) return;
    const old = readFileSync(placeOf('visus.idx')).equals(SMALL['visus.idx']);
    seen.add(`${old} ${existsSync(placeOf('visus/large.bin'))} ${existsSync(placeOf('other/0.bin'))}`);
  }, 5);
  await bench.publish(mirror()).finally(() => clearInterval(look));
  expect([...seen]).toEqual(['true true false']);
  prove(newer);
});

test('what was changed there without a trace in size and time is found, and sent anew', async () => {
  await bench.publish(mirror());
  const path = placeOf('visus.idx');
  const { atime, mtime } = await stat(path);
  writeFileSync(path, '(version)\n9\n');
  utimesSync(path, atime, mtime);
  await bench.forgetReceipts();
  expect(await bench.publish(mirror())).toMatchObject({ sent: SMALL['visus.idx'].length });
  prove(SMALL);
});

test('somebody who changes it again and again is a failure that names the file', async () => {
  await behind({
    onConnection: () => {
      if (!existsSync(placeOf('visus.idx'))) return;
      writeFileSync(placeOf('visus.idx'), '(version)\n9\n');
      utimesSync(placeOf('visus.idx'), 1, 1);
    },
  });
  await expect(bench.publish(mirror())).rejects.toMatchObject({
    type: 'target_differs',
    message: expect.stringContaining('visus.idx'),
  });
});

test('a product that rotted here goes nowhere', async () => {
  await writeFile(bench.pathOf('visus.idx'), '(version)\n8\n');
  await expect(bench.publish(mirror())).rejects.toMatchObject({ type: 'product_damaged' });
  expect(existsSync(placeOf())).toBe(false);
  expect(await bench.staged()).toEqual([]);
});

describe('breaks', () => {
  beforeEach(() => bench.make('a', CONTENTS));

  test('cut in the middle: the next attempt sends the rest', async () => {
    const { taken, behaviour } = await behind({ cutAfterTo: 25 * MIB });
    await expect(bench.publish(mirror())).rejects.toMatchObject({
      type: 'target_unreachable',
      nonRetryable: false,
    });
    behaviour.cutAfterTo = undefined;
    await bench.publish(mirror());
    prove(CONTENTS);
    expect(taken()).toBeLessThan(SIZE + 4 * MIB);
  });

  test('rsync killed (SIGKILL) in the middle: the next attempt sends the rest', async () => {
    const { taken } = await behind({ paceTo: 16 * MIB });
    let killed = 0;
    bench.onProgress = ({ done }) => {
      if (killed === 0 && done > 20 * MIB && done < SIZE)
        killed = signalProgramsIn(join(bench.dir, 'out'), 'SIGKILL');
    };
    await expect(bench.publish(mirror())).rejects.toMatchObject({ nonRetryable: false });
    expect(killed).toBeGreaterThan(0);
    // The far side needs a moment to hear of it and to put aside what it has; Temporal's next attempt comes later.
    for (let waited = 0; isWriting() && waited < 100; waited++) await sleep(50);
    await bench.publish(mirror());
    prove(CONTENTS);
    expect(taken()).toBeLessThan(SIZE + 8 * MIB);
  });

  test('a worker that leaves lets it stay for the next; a cancellation leaves nothing', async () => {
    const { taken } = await behind({ paceTo: 10 * MIB });
    const stopped = async (how: 'cancelled' | 'leaving'): Promise<void> => {
      const env = newEnv();
      bench.onProgress = ({ done }) => {
        if (done > 20 * MIB) end(env, how);
      };
      await expect(bench.publish(mirror(), env)).rejects.toThrow();
      bench.onProgress = () => undefined;
    };
    await stopped('leaving');
    expect(filesThere().some((path) => path.includes('.sluice-partial'))).toBe(true);
    const before = taken();
    await stopped('cancelled');
    expect(taken() - before).toBeLessThan(SIZE / 2);
    expect(await readdir(placeOf())).toEqual([]);
    expect(await bench.staged()).toEqual([]);
  });

  test('a target without space says so, and gets its space back', async () => {
    const small = join(far, 'small');
    await mkdir(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', small]);
    try {
      await expect(bench.publish(mirror({ path: 'drop/small' }))).rejects.toMatchObject({
        type: 'target_full',
        nonRetryable: true,
      });
      expect(await readdir(join(small, bench.uuid))).toEqual([]);
    } finally {
      execFileSync('umount', [small]);
    }
  });
});

describe('refusals, each with its code', () => {
  test.each<[string, string, Partial<RsyncTarget>]>([
    ['a wrong password', 'target_denied', { password: 'a wrong word' }],
    ['an unknown module', 'target_refused', { path: 'nomodule' }],
    ['a module that may only be read', 'target_refused', { path: 'open' }],
    ['a directory that is not there', 'target_refused', { path: 'drop/none' }],
    ['a directory that may not be written', 'target_refused', { path: 'tight/products' }],
    ['nobody listens', 'target_unreachable', { port: 9 }],
  ])('%s: %s', async (_, type, more) => {
    await chmod(join(far, 'products'), 0o755);
    const refused: unknown = await bench.publish(mirror(more)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ type, message: expect.stringContaining('mirror') });
    expect(JSON.stringify(refused)).not.toMatch(new RegExp(`wrong word|${PASSWORD}`));
    expect(await readdir(join(far, 'products'))).toEqual([]);
  });
});

describe('over ssh', () => {
  let sshd: Sshd;
  let home: TargetBench;
  beforeAll(async () => {
    home = await TargetBench.open(SMALL);
    sshd = await startSshd(join(home.dir, 'sshd'));
  });
  afterAll(async () => {
    await sshd.stop();
    await home.close();
  });
  const over = (more: Partial<RsyncTarget> = {}): RsyncTarget => ({
    kind: 'rsync',
    name: 'mirror',
    via: 'ssh',
    host: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    privateKey: sshd.key,
    hostKey: sshd.hostKey,
    path: join(far, 'products'),
    ...more,
  });

  test('a product arrives; the key lies nowhere afterwards', async () => {
    const url = 'https://data.example.org/';
    expect(await bench.publish(over({ url }))).toMatchObject({ url: `${url}${bench.uuid}/`, readBack: 6 });
    prove(SMALL);
    expect(filesHolding(bench.dir, sshd.key.slice(60, 120))).toEqual([]);
  });

  test.each<[string, string, () => Partial<RsyncTarget>]>([
    ['another host key', 'target_untrusted', () => ({ hostKey: sshd.otherPublic })],
    ['a key that the host does not know', 'target_denied', () => ({ privateKey: sshd.otherKey })],
    ['a directory that is not there', 'target_refused', () => ({ path: join(far, 'none') })],
  ])('%s: %s', async (_, type, more) => {
    await expect(bench.publish(over(more()))).rejects.toMatchObject({ type, nonRetryable: true });
    expect(await readdir(join(far, 'products'))).toEqual([]);
  });

  test('a host that only known_hosts may know', async () => {
    const { hostKey: _, ...target } = over();
    await expect(bench.publish(target)).rejects.toMatchObject({ type: 'target_untrusted' });
    await mkdir(join(bench.dir, 'ssh'));
    await writeFile(join(bench.dir, 'ssh/known_hosts'), `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
    expect(await bench.publish(target)).toMatchObject({ readBack: 6 });
  });
});
