// What only rsync can meet: keys of hosts, refusals, links, odd names, cuts, a killed child, files that change.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RsyncSource } from '../../../src/domain/source.js';
import { filesHolding } from '../../support/data.js';
import { type FaultProxy, type ProxyBehaviour, startFaultProxy } from '../../support/fault-proxy.js';
import { programsIn, signalProgramsIn } from '../../support/proc.js';
import {
  PASSWORD,
  type RsyncDaemon,
  type Sshd,
  startRsyncDaemon,
  startSshd,
  USER,
} from '../../support/rsync-servers.js';
import { Bench, failure, MIB, someBytes } from './bench.js';

const JOB = 'upload_1_0000000a';
let bench: Bench;
let data: string;
let daemon: RsyncDaemon;
let proxy: FaultProxy | undefined;

beforeEach(async () => {
  bench = await Bench.open({ backOffMs: 5, stallMs: 500 });
  data = join(bench.dir, 'data');
  await mkdir(data);
  daemon = await startRsyncDaemon(join(bench.dir, 'daemon'), data);
});
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
  await daemon.stop();
  await bench.close();
});

async function put(files: Readonly<Record<string, Buffer>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(data, name)), { recursive: true });
    await writeFile(join(data, name), bytes);
  }
}
const at = (path: string, more: Partial<RsyncSource> = {}): RsyncSource => ({
  kind: 'rsync',
  via: 'daemon',
  host: '127.0.0.1',
  port: proxy?.port ?? daemon.port,
  path,
  sealed: false,
  ...more,
});
async function behind(behaviour: ProxyBehaviour): Promise<FaultProxy> {
  proxy = await startFaultProxy(daemon.port, behaviour);
  return proxy;
}

describe('names', () => {
  test('a single file, a directory with blanks, a whole module', async () => {
    const files = { 'a b/c d.bin': someBytes(1000), 'top.bin': someBytes(10) };
    await put(files);
    await bench.prove(await bench.run(at('open/top.bin')), { 'top.bin': files['top.bin'] });
    const options = (jobId: string) => ({ jobId });
    const inside = await bench.run(at('open/a b'), options('upload_2_0000000b'));
    await bench.prove(inside, { 'c d.bin': files['a b/c d.bin'] });
    expect(await bench.run(at('open'), options('upload_3_0000000c'))).toMatchObject({
      delivery: { files: 2 },
    });
  });

  test('signs of every script, a dash in front, rsync’s own escapes, 250 bytes', async () => {
    const names = [
      '-e sh',
      '--help',
      'emoji 😀.txt',
      'ünï.txt',
      '#012',
      '$(x)',
      "it's",
      'a*?[b]',
      'x'.repeat(250),
    ];
    const files = Object.fromEntries(names.map((name) => [`${name}`, someBytes(20)]));
    await put(Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`set/${name}`, bytes])));
    await bench.prove(await bench.run(at('open/set')), files);
  });

  test.each([
    ['a line end', Buffer.from('new\nline')],
    ['a backslash', Buffer.from('back\\#012')],
    ['no valid text', Buffer.from([0x62, 0xff])],
  ])('%s in a name is refused before a byte is moved', async (_, name) => {
    await put({ 'set/a.bin': someBytes(10) });
    writeFileSync(Buffer.concat([Buffer.from(`${data}/set/`), name]), 'x');
    await expect(bench.run(at('open/set'))).rejects.toEqual(failure('unsafe_name'));
    expect(bench.reports).toEqual([]);
    await bench.proveEmptyStaging();
  });

  test('links and pipes are refused by name, or left out when that was asked for', async () => {
    await put({ 'set/a.bin': someBytes(10) });
    await symlink('/etc/passwd', join(data, 'set/link'));
    execFileSync('mkfifo', [join(data, 'set/pipe')]);
    await expect(bench.run(at('open/set'))).rejects.toEqual(failure('remote_link'));
    await bench.proveEmptyStaging();
    const output = await bench.run(at('open/set', { leavesOut: true }));
    await bench.prove(output, { 'a.bin': readFileSync(join(data, 'set/a.bin')) });
    expect(output).toMatchObject({ delivery: { leftOut: { count: 2, names: ['set/link', 'set/pipe'] } } });
  });

  const many = process.env.SLUICE_TEST_SOAK === '1' ? 10_000 : 300;
  test(`${many} small files`, async () => {
    const files = Object.fromEntries(
      Array.from({ length: many }, (_, i) => [`d${i % 7}/f${i}.bin`, Buffer.from(`content ${i}`)]),
    );
    await put(Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`set/${name}`, bytes])));
    await bench.prove(await bench.run(at('open/set')), files);
    const bytes = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    bench.proveProgress(bytes);
  }, 300_000);
});

describe('refusals, each with its code', () => {
  test.each<[string, string, string, Partial<RsyncSource>]>([
    ['an unknown module', 'remote_not_found', 'nomodule/x', {}],
    ['a module without its directory', 'remote_not_found', 'gone/x', {}],
    ['nothing there', 'remote_not_found', 'open/none', {}],
    ['no password', 'remote_denied', 'closed', { user: USER }],
    ['no user', 'remote_denied', 'closed', {}],
  ])('%s: %s', async (_, code, path, more) => {
    await expect(bench.run(at(path, more))).rejects.toEqual(failure(code));
    await bench.proveEmptyStaging();
  });

  test('a wrong password, which no message repeats', async () => {
    await bench.deps.secrets.seal(JOB, { password: 'a wrong word' });
    const run = bench.run(at('closed', { user: USER, sealed: true }));
    await expect(run).rejects.toMatchObject({
      type: 'remote_denied',
      message: expect.not.stringContaining('wrong word'),
    });
    await bench.deps.secrets.seal(JOB, { password: PASSWORD });
    await put({ 'a.bin': someBytes(10) });
    expect((await bench.run(at('closed', { user: USER, sealed: true }))).done).toBe(true);
    expect(await bench.deps.secrets.open(JOB)).toBeUndefined();
  });

  test('a file that the daemon may not read', async () => {
    await put({ 'set/a.bin': someBytes(10), 'set/b.bin': someBytes(10) });
    await chmod(bench.dir, 0o755);
    await chmod(join(data, 'set/b.bin'), 0o000);
    await expect(bench.run(at('narrow/set'))).rejects.toEqual(failure('remote_denied'));
    await bench.proveEmptyStaging();
  });

  test('an address that is not public', async () => {
    const run = bench.run(at('open'), {}, { ...bench.deps, urlAllow: [] });
    await expect(run).rejects.toEqual(failure('url_forbidden'));
  });

  test('a daemon that has no place for another connection: tried again later, and nothing is said of the request', async () => {
    await put({ 'a.bin': someBytes(10) });
    const stranger = await daemon.occupy();
    await expect(bench.run(at('open'))).rejects.toMatchObject({
      ...{ type: 'remote_broken', nonRetryable: false },
      message: expect.stringContaining('max connections (1) reached'),
    });
    stranger.destroy();
    expect((await bench.run(at('open'))).done).toBe(true);
  });

  test('nobody listens', async () => {
    await daemon.stop();
    await expect(bench.run(at('open'))).rejects.toEqual(failure('remote_broken', false));
  });
});

describe('breaks', () => {
  const content = someBytes(10 * MIB);

  test('cut after every tenth: it goes on with what rsync kept', async () => {
    await put({ 'set/a.bin': content });
    const { given } = await behind({ cutAfter: 1.2 * MIB });
    await bench.prove(await bench.run(at('open/set')), { 'a.bin': content });
    expect(proxy?.connections()).toBeGreaterThan(10);
    expect(given()).toBeLessThan(content.length + 8 * MIB);
  });

  test('silence ends a connection after its limit, and the rest comes over the next one', async () => {
    await put({ 'set/a.bin': content });
    const onConnection = (number: number): void => {
      if (proxy) proxy.behaviour.silentAfter = number === 2 ? 3 * MIB : undefined;
    };
    const { given } = await behind({ onConnection });
    await bench.prove(await bench.run(at('open/set')), { 'a.bin': content });
    expect(given()).toBeLessThan(content.length + MIB);
  });

  test('every rsync of the transfer killed (SIGKILL) in its middle: the bytes are kept', async () => {
    await put({ 'set/a.bin': content });
    const { given } = await behind({ pace: 4 * MIB });
    let killed = 0;
    const output = await bench.run(at('open/set'), {
      onProgress: ({ done, total }) => {
        if (killed === 0 && done > 2 * MIB && done < total)
          killed = signalProgramsIn(join(bench.dir, 'in'), 'SIGKILL');
      },
    });
    expect(killed).toBeGreaterThan(0);
    await bench.prove(output, { 'a.bin': content });
    expect(given()).toBeLessThan(content.length + 8 * MIB);
  });

  test('a file that vanishes, and one that changes again and again', async () => {
    await put({ 'set/a.bin': someBytes(100), 'set/b.bin': someBytes(100) });
    const vanish = (number: number): void => {
      if (number === 2) rmSync(join(data, 'set/b.bin'));
    };
    await behind({ onConnection: vanish });
    await expect(bench.run(at('open/set'))).rejects.toEqual(failure('file_changed'));
    await bench.proveEmptyStaging();
    if (proxy) {
      proxy.behaviour.onConnection = (number) =>
        writeFileSync(join(data, 'set/a.bin'), Buffer.alloc(100 + number));
    }
    await expect(bench.run(at('open/set'))).rejects.toEqual(failure('file_changed'));
    await bench.proveEmptyStaging();
  });

  test('a file that changes once comes in its new version', async () => {
    const second = someBytes(300);
    await put({ 'set/a.bin': someBytes(100) });
    const change = (number: number): void => {
      if (number === 2) writeFileSync(join(data, 'set/a.bin'), second);
    };
    await behind({ onConnection: change });
    await bench.prove(await bench.run(at('open/set')), { 'a.bin': second });
  });
});

describe('over ssh', () => {
  let sshd: Sshd;
  let home: Bench;
  beforeAll(async () => {
    home = await Bench.open();
    sshd = await startSshd(join(home.dir, 'sshd'));
  });
  afterAll(async () => {
    await sshd.stop();
    await home.close();
  });
  const over = (more: Partial<RsyncSource> = {}): RsyncSource =>
    at(`${data}/set`, {
      via: 'ssh',
      port: sshd.port,
      user: sshd.user,
      hostKey: sshd.hostKey,
      sealed: true,
      ...more,
    });
  const files = { 'a b.bin': someBytes(3 * MIB), 'sub/$(x)': someBytes(10) };
  beforeEach(async () => {
    await put(Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`set/${name}`, bytes])));
    await bench.deps.secrets.seal(JOB, { privateKey: sshd.key });
  });

  test('with a key and a host key of the request; the key lies nowhere afterwards', async () => {
    let seen: string[] = [];
    const output = await bench.run(over(), {
      onProgress: () => {
        seen = seen.length > 0 ? seen : programsIn(join(bench.dir, 'in')).map(commandOf);
      },
    });
    await bench.prove(output, files);
    expect(seen.join(' ')).not.toContain('PRIVATE KEY');
    expect(filesHolding(bench.dir, sshd.key.slice(60, 120))).toEqual([]);
  });

  test('with a key and known_hosts of the operator', async () => {
    await mkdir(join(bench.dir, 'ssh'));
    await writeFile(join(bench.dir, 'ssh/survey'), sshd.key);
    await writeFile(join(bench.dir, 'ssh/known_hosts'), `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
    const { hostKey: _, ...source } = over({ key: 'survey', sealed: false });
    await bench.prove(await bench.run(source), files);
  });

  test.each<[string, string, () => Promise<RsyncSource>]>([
    ['an unknown host', 'host_key_unknown', async () => without(over(), 'hostKey')],
    ['another host key', 'host_key_changed', async () => over({ hostKey: sshd.otherPublic })],
    [
      'a key that the host does not know',
      'remote_denied',
      async () => {
        await bench.deps.secrets.seal(JOB, { privateKey: sshd.otherKey });
        return over();
      },
    ],
    [
      'no key at all',
      'remote_denied',
      async () => {
        await bench.deps.secrets.seal(JOB, { privateKey: 'no key' });
        return over();
      },
    ],
    ['a key that the server does not have', 'ssh_key_unknown', async () => over({ key: 'none' })],
    ['a name that leads elsewhere', 'ssh_key_unknown', async () => over({ key: '../sshd/key' })],
    ['nothing there', 'remote_not_found', async () => over({ path: `${data}/none` })],
  ])('%s: %s', async (_, code, make) => {
    await expect(bench.run(await make())).rejects.toEqual(failure(code));
    await bench.proveEmptyStaging();
  });
});

function without(source: RsyncSource, key: 'hostKey'): RsyncSource {
  const { [key]: _, ...rest } = source;
  return rest;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}
