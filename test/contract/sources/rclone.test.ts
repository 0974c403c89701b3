// Source `rclone` by the contract, on a WebDAV store behind a proxy; and the remotes that it must refuse.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { leadsToDisk, readRemotes } from '../../../src/activities/fetch/rclone/remotes.js';
import type { RcloneSource } from '../../../src/domain/source.js';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.js';
import { writePattern } from '../../support/pattern.js';
import { RCLONE, s3Remote, startWebDav, type WebDav, webDavRemote } from '../../support/rclone-server.js';
import { S3Proxy } from '../../support/s3-proxy.js';
import { BUCKET, S3Server } from '../../support/s3-server.js';
import { Bench, failure, MIB, someBytes } from './bench.js';
import { sourceContract } from './contract.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 5, stallMs: 2_000 };
let store: WebDav | undefined;
let proxy: FaultProxy | undefined;
/** In the way of single requests, where the other one is in the way of connections. */
let refusing: S3Proxy | undefined;
let digesting: S3Server | undefined;

async function write(bench: Bench, files: Readonly<Record<string, Buffer>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(bench.dir, 'data/set', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

async function serve(bench: Bench, pace?: number, password?: string): Promise<RcloneSource> {
  store = await startWebDav(join(bench.dir, 'data'));
  proxy = await startFaultProxy(store.port, pace === undefined ? {} : { pace });
  writeFileSync(configOf(bench), webDavRemote('dav', proxy.port, password));
  bench.extend({ rclone: { command: RCLONE, config: configOf(bench) } });
  return { kind: 'rclone', remote: 'dav', path: 'set' };
}
const configOf = (bench: Bench): string => join(bench.dir, 'rclone.conf');
const end = async (): Promise<void> => {
  await refusing?.close();
  await proxy?.close();
  await store?.stop();
  await digesting?.close();
  refusing = undefined;
  proxy = undefined;
  store = undefined;
  digesting = undefined;
};

sourceContract('rclone', {
  settings: SETTINGS,
  transfers: true,
  several: true,
  async put(bench, files) {
    await write(bench, files);
    return await serve(bench, 100 * MIB);
  },
  async nothing(bench) {
    await mkdir(join(bench.dir, 'data/set/deeper'), { recursive: true });
    return { source: await serve(bench), code: 'no_files' };
  },
  end,
  async putOdd(bench, files) {
    if (Object.keys(files).some((name) => !isPossible(name))) return undefined;
    await write(bench, files);
    return await serve(bench);
  },
  async putLarge(bench, bytes) {
    writePattern(join(bench.dir, 'data/set/large.bin'), { counted: bytes });
    return await serve(bench);
  },
  async denied(bench) {
    await write(bench, { 'a.bin': Buffer.from('closed') });
    return { source: await serve(bench, undefined, 'a wrong word'), code: 'remote_denied' };
  },
  change: { code: 'file_changed', replace: write },
  async throttle(bench) {
    refusing = await S3Proxy.start(`http://127.0.0.1:${store?.port}`);
    const tooMany = { status: 429, code: 'TooManyRequests', headers: { 'retry-after': '0' } };
    refusing.faults = { instead: [tooMany, { ...tooMany, status: 503 }, tooMany], pace: 10 * MIB };
    writeFileSync(configOf(bench), webDavRemote('dav', Number(new URL(refusing.origin).port)));
  },
  // WebDAV tells no digests. Here the store's disk has other bytes than those that it has the digest of.
  async corrupt(bench) {
    digesting = await S3Server.start();
    await digesting.put('set/a.bin', someBytes(100));
    writeFileSync(digesting.pathOf('set/a.bin'), someBytes(100));
    writeFileSync(configOf(bench), s3Remote('store', digesting.origin));
    bench.extend({ rclone: { command: RCLONE, config: configOf(bench) } });
    return { kind: 'rclone', remote: 'store', path: `${BUCKET}/set` };
  },
  cannot: {
    given: 'rclone reads ahead of what it is asked for, so the store cannot tell what was needed',
  },
});

/** What a file system can hold under a directory. */
const isPossible = (name: string): boolean =>
  !name.includes('\0') &&
  name.split('/').every((part) => part !== '..' && part !== '.' && Buffer.byteLength(part) <= 255);

describe('beside the contract', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await Bench.open(SETTINGS);
  });
  afterEach(async () => {
    await end();
    await bench.close();
  });

  test('a single file, and all of a remote', async () => {
    const bytes = someBytes(1000);
    await write(bench, { 'sub/a b.bin': bytes });
    const source = await serve(bench);
    await bench.prove(await bench.run({ ...source, path: 'set/sub/a b.bin' }), { 'a b.bin': bytes });
    const all = await bench.run({ ...source, path: '' }, { jobId: 'upload_2_0000000b' });
    await bench.prove(all, { 'set/sub/a b.bin': bytes });
  });

  test.each<[string, string, Partial<RcloneSource>]>([
    ['nothing there', 'remote_not_found', { path: 'none' }],
    ['an unknown remote', 'rclone_remote_unknown', { remote: 'other' }],
    ['the disk', 'rclone_remote_forbidden', { remote: 'disk', path: '/etc' }],
    ['an alias of a directory', 'rclone_remote_forbidden', { remote: 'etc' }],
  ])('%s: %s', async (_, code, more) => {
    const source = await serve(bench);
    const others = '[disk]\ntype = local\n\n[etc]\ntype = alias\nremote = /etc\n';
    writeFileSync(configOf(bench), `${readFileSync(configOf(bench), 'utf8')}\n${others}`);
    await expect(bench.run({ ...source, ...more })).rejects.toEqual(failure(code));
    await bench.proveEmptyStaging();
  });

  test('an encrypted configuration opens with its password, and says so without', async () => {
    const bytes = someBytes(10);
    await write(bench, { 'a.bin': bytes });
    const source = await serve(bench);
    const config = configOf(bench);
    const env = { ...process.env, RCLONE_CONFIG: config };
    execFileSync(RCLONE, ['config', 'encryption', 'set', '--password-command', 'echo opensesame'], { env });
    expect(readFileSync(config, 'utf8')).toContain('RCLONE_ENCRYPT');
    await expect(bench.run(source)).rejects.toEqual(failure('rclone_config_broken'));
    bench.extend({ rclone: { command: RCLONE, config, password: 'opensesame' } });
    await bench.prove(await bench.run(source), { 'a.bin': bytes });
  });

  test('without a configuration, or with an rclone that is too old', async () => {
    const source: RcloneSource = { kind: 'rclone', remote: 'dav', path: '' };
    await expect(bench.run(source)).rejects.toEqual(failure('rclone_not_configured'));
    const old = join(bench.dir, 'old-rclone');
    writeFileSync(old, '#!/bin/sh\necho rclone v1.74.9\n', { mode: 0o755 });
    bench.extend({ rclone: { command: old, config: configOf(bench) } });
    await expect(bench.run(source)).rejects.toMatchObject({ type: 'program_missing' });
  });
});

test.each<[string, boolean, string]>([
  ['a store', false, '[a]\ntype = s3\n'],
  ['the disk', true, '[a]\ntype = local\n'],
  ['crypt over a store', false, '[a]\ntype = crypt\nremote = b:x\n[b]\ntype = s3\n'],
  ['crypt over the disk', true, '[a]\ntype = crypt\nremote = b:x\n[b]\ntype = local\n'],
  ['crypt over a path', true, '[a]\ntype = crypt\nremote = /data\n'],
  [
    'a union with one part of the disk',
    true,
    '[a]\ntype = union\nupstreams = b:x /data:ro\n[b]\ntype = s3\n',
  ],
  ['a combination of stores', false, '[a]\ntype = combine\nupstreams = x=b:one y=b:two\n[b]\ntype = s3\n'],
  ['a combination with a path', true, '[a]\ntype = combine\nupstreams = x=b:one y=/etc\n[b]\ntype = s3\n'],
  ['a backend on the fly', true, '[a]\ntype = alias\nremote = :local:/etc\n'],
  ['a remote with options', true, '[a]\ntype = alias\nremote = b,type=local:/etc\n[b]\ntype = s3\n'],
  ['one over itself', true, '[a]\ntype = alias\nremote = a:x\n'],
  ['one over what is not there', true, '[a]\ntype = alias\nremote = b:x\n'],
])('%s: leads to the disk: %s', (_, expected, config) => {
  expect(leadsToDisk(readRemotes(config), 'a')).toBe(expected);
});
