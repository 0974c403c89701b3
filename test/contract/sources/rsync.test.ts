// Source `rsync` by the contract, on a real daemon behind a proxy that counts and slows down.
import { chmodSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RsyncSource } from '../../../src/domain/source.js';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.js';
import { writePattern } from '../../support/pattern.js';
import { PASSWORD, type RsyncDaemon, startRsyncDaemon, USER } from '../../support/rsync-servers.js';
import { type Bench, JOB, MIB } from './bench.js';
import { sourceContract } from './contract.js';

/** rsync tells its progress once a second: often enough for the contract's moments at this pace, bytes a second. */
const PACE = 13 * MIB;
let daemon: RsyncDaemon | undefined;
let proxy: FaultProxy | undefined;

sourceContract('rsync', {
  settings: { backOffMs: 50 },
  transfers: true,
  several: true,
  async put(bench, files, jobId) {
    await write(bench, files);
    return await serve(bench, jobId, PACE);
  },
  async nothing(bench) {
    await mkdir(join(bench.dir, 'data/set/deeper'), { recursive: true });
    return { source: await serve(bench), code: 'no_files' };
  },
  given: () => proxy?.given() ?? 0,
  async end() {
    await proxy?.close();
    await daemon?.stop();
  },
  async putOdd(bench, files) {
    const names = Object.keys(files);
    if (names.some((name) => !isPossible(name))) return undefined;
    await write(bench, files);
    return await serve(bench);
  },
  async putLarge(bench, bytes) {
    writePattern(join(bench.dir, 'data/set/large.bin'), { counted: bytes });
    return await serve(bench);
  },
  async denied(bench) {
    await write(bench, { 'a.bin': Buffer.from('closed') });
    chmodSync(bench.dir, 0o755);
    chmodSync(join(bench.dir, 'data/set/a.bin'), 0o000);
    const { user: _, ...source } = await serve(bench);
    return { source: { ...source, path: 'narrow/set' }, code: 'remote_denied' };
  },
  change: { code: 'file_changed', replace: write },
  async throttle() {
    const stranger = await daemon?.occupy();
    setTimeout(() => stranger?.destroy(), 300);
    if (proxy) proxy.behaviour.pace = 10 * MIB;
  },
  cannot: {
    corrupt: 'rsync announces no digest; it compares its own in every transfer',
  },
});

async function write(bench: Bench, files: Readonly<Record<string, Buffer>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(bench.dir, 'data/set', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

async function serve(bench: Bench, jobId = JOB, pace?: number): Promise<RsyncSource> {
  daemon = await startRsyncDaemon(join(bench.dir, 'daemon'), join(bench.dir, 'data'));
  proxy = await startFaultProxy(daemon.port, pace === undefined ? {} : { pace });
  await bench.deps.secrets.seal(jobId, { password: PASSWORD });
  const { port } = proxy;
  return {
    kind: 'rsync',
    via: 'daemon',
    host: '127.0.0.1',
    port,
    user: USER,
    path: 'closed/set',
    sealed: true,
  };
}

/** What a file system can hold under a directory. */
const isPossible = (name: string): boolean =>
  !name.includes('\0') &&
  name.split('/').every((part) => part !== '..' && part !== '.' && Buffer.byteLength(part) <= 255);
