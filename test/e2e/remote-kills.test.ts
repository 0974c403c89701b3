// Remote sources on the whole stack: the worker dies in mid-transfer, nothing is lost.
import { rmSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { someBytes } from '../contract/sources/bench.js';
import { sha256sumCheck, tree } from '../support/data.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { RCLONE, startWebDav, type WebDav, webDavRemote } from '../support/rclone-server.js';
import {
  PASSWORD,
  type Sshd,
  startRsyncDaemon,
  startSshd,
  type TestServer,
  USER,
} from '../support/rsync-servers.js';
import { BUCKET, KEYS, S3Server } from '../support/s3-server.js';
import { postJson } from '../support/send.js';
import { kill, Stack, until } from '../support/stack.js';

const MIB = 1024 * 1024;
// `npm run soak`: larger, at more moments.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const SIZE = (SOAK ? 1024 : 64) * MIB;
const MOMENTS = SOAK ? Array.from({ length: 20 }, (_, i) => (i + 0.5) / 20) : [0.6];
const PACE = (SOAK ? 100 : 12) * MIB;

let stack: Stack;
let data: string;
let daemon: TestServer;
let sshd: Sshd;
let dav: WebDav;
let store: S3Server;
let proxies: Record<'daemon' | 'ssh' | 'dav' | 's3', FaultProxy>;
const config = join(tmpdir(), `sluice-rclone-${process.pid}.conf`);

beforeAll(async () => {
  writeFileSync(config, '');
  stack = await Stack.start({
    SLUICE_URL_ALLOW: '127.0.0.1/32',
    SLUICE_RCLONE_CONFIG: config,
    SLUICE_RCLONE_BIN: RCLONE,
  });
  data = join(stack.home, 'remote');
  // Bytes that differ everywhere: rsync finds what repeats, and would send nothing of it.
  const large = someBytes(SIZE);
  await mkdir(join(data, 'set/sub'), { recursive: true });
  await writeFile(join(data, 'set/large.bin'), large);
  await writeFile(join(data, 'set/sub/small.bin'), 'small');
  daemon = await startRsyncDaemon(join(stack.home, 'daemon'), data);
  sshd = await startSshd(join(stack.home, 'sshd'));
  dav = await startWebDav(data);
  store = await S3Server.start();
  await store.put('set/large.bin', large);
  await store.put('set/sub/small.bin', Buffer.from('small'));
  proxies = {
    daemon: await startFaultProxy(daemon.port, { pace: PACE }),
    ssh: await startFaultProxy(sshd.port, { pace: PACE }),
    dav: await startFaultProxy(dav.port, { pace: PACE }),
    s3: await startFaultProxy(Number(new URL(store.origin).port), { pace: PACE }),
  };
  writeFileSync(config, webDavRemote('dav', proxies.dav.port));
}, 120_000);
afterAll(async () => {
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
  await Promise.all([daemon.stop(), sshd.stop(), dav.stop(), store.close()]);
  await stack.close();
  rmSync(config);
}, 60_000);

const sources = {
  daemon: () => ({
    type: 'rsync',
    from: `rsync://${USER}@127.0.0.1:${proxies.daemon.port}/closed/set`,
    password: PASSWORD,
  }),
  ssh: () => ({
    type: 'rsync',
    from: `ssh://${sshd.user}@127.0.0.1:${proxies.ssh.port}${data}/set`,
    private_key: sshd.key,
    host_key: sshd.hostKey,
  }),
  dav: () => ({ type: 'rclone', from: 'dav:set' }),
  s3: () => ({
    type: 's3',
    bucket: BUCKET,
    key: 'set/',
    endpoint: `http://127.0.0.1:${proxies.s3.port}`,
    path_style: true,
    access_key_id: KEYS.accessKeyId,
    secret_access_key: KEYS.secretAccessKey,
  }),
};

test.each(
  (['daemon', 'ssh', 'dav', 's3'] as const).flatMap((name) =>
    MOMENTS.map((moment) => [name, moment] as const),
  ),
)(
  '%s: the worker is killed at %p of the bytes; the rest comes, once',
  async (name, moment) => {
    const proxy = proxies[name];
    const start = proxy.given();
    const sent = await postJson(`${stack.apiUrl}/api/v1/uploads`, {
      name: `${name} ${moment}`,
      user_email: 'ada@example.org',
      sensor: 'OTHER',
      source: sources[name](),
    });
    expect(sent.status).toBe(201);
    await until('the moment has come', async () => proxy.given() - start > moment * SIZE, 120_000, 20);
    await kill(stack.worker);
    await stack.startWorker();
    await stack.settled(sent.uuid, 'done', 180_000);
    sha256sumCheck(join(stack.out, sent.uuid));
    expect(tree(join(stack.out, sent.uuid))).toEqual(expect.arrayContaining(['large.bin', 'sub/small.bin']));
    expect(tree(join(stack.in, '.staging'))).toEqual([]);
    expect(tree(join(stack.in, '.secrets'))).toEqual([]);
    // The engine has a few streams of such a file (two at first), each with 8 MiB that are not confirmed.
    const twice = (name === 'dav' || name === 's3' ? 4 * 8 + 8 : 8) * MIB;
    const more = (proxy.given() - start - SIZE) / MIB;
    process.stdout.write(
      `${name}, killed at ${moment} of ${SIZE / MIB} MiB: ${more.toFixed(1)} MiB moved twice\n`,
    );
    expect(proxy.given() - start).toBeLessThan(SIZE + twice);
  },
  240_000,
);
