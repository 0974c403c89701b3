// Copies to targets keep the limits on bandwidth, on a real database; and what one target has needs not be sent to it again.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Bandwidth, createBandwidth } from '../../src/bandwidth/bandwidth.js';
import type { Target } from '../../src/contracts/targets.js';
import { changeLimits } from '../../src/store/limits.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { seeded } from '../support/product.js';
import { PASSWORD, startRsyncDaemon, type TestServer, USER } from '../support/rsync-servers.js';
import { S3Proxy } from '../support/s3-proxy.js';
import { BUCKET, KEYS, S3Server } from '../support/s3-server.js';
import { end, MIB, newEnv, TargetBench } from '../support/target-bench.js';

const OWNER = 'ada@example.org';
const BYTES = 4 * MIB;
const CONTENTS = { 'visus.idx': Buffer.from('(version)\n6\n'), 'visus/0.bin': seeded(BYTES, 1) };
let store: Store;
let bandwidth: Bandwidth;
let server: S3Server;
let daemon: TestServer;
let bench: TargetBench;
let toDaemon: FaultProxy;
let toStore: S3Proxy;

beforeAll(async () => {
  store = openStore(process.env['SLUICE_TEST_MONGO'] ?? '', `targets_${randomBytes(4).toString('hex')}`);
  server = await S3Server.start();
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.client.close();
  await server.close();
});
beforeEach(async () => {
  bandwidth = createBandwidth({ store, holder: 'worker-1', everyMs: 200, log: () => undefined });
  bench = await TargetBench.open(CONTENTS);
  await mkdir(join(bench.dir, 'far'));
  daemon = await startRsyncDaemon(join(bench.dir, 'daemon'), join(bench.dir, 'far'));
  toDaemon = await startFaultProxy(daemon.port);
  toStore = await S3Proxy.start(server.origin);
});
afterEach(async () => {
  await bandwidth.close();
  await store.db.dropDatabase();
  await toDaemon.close();
  await toStore.close();
  await daemon.stop();
  await bench.close();
});

const archive = (): Target => ({
  kind: 's3',
  name: 'archive',
  bucket: BUCKET,
  prefix: '',
  endpoint: toStore.origin,
  region: 'us-east-1',
  pathStyle: true,
  keys: KEYS,
});
const mirror = (): Target => ({
  kind: 'rsync',
  name: 'mirror',
  via: 'daemon',
  host: '127.0.0.1',
  port: toDaemon.port,
  user: USER,
  password: PASSWORD,
  path: 'drop',
});

describe('bandwidth', () => {
  const limit = 2 * MIB;
  test.each<[string, () => Target, number]>([
    // Sent, and read back.
    ['a store', archive, 2 * BYTES],
    ['rsync', mirror, BYTES],
  ])('%s gets no more than its owner may move', async (_, target, bytes) => {
    await changeLimits(store, `owner:${OWNER}`, { bytes_per_second: limit }, 'ops@example.org');
    const startedAt = performance.now();
    await bench.publish(target(), newEnv(), { bandwidth }, OWNER);
    const seconds = (performance.now() - startedAt) / 1000;
    // What may come at once after a rest goes for nothing.
    expect(bytes / seconds).toBeLessThan(limit * 1.15);
  });

  test('another owner is not held up', async () => {
    await changeLimits(store, `owner:${OWNER}`, { bytes_per_second: 1024 }, 'ops@example.org');
    for (const target of [archive(), mirror()]) {
      const answer = await bench.publish(target, newEnv(), { bandwidth }, 'bob@example.org');
      expect(answer.sent).toBeGreaterThan(BYTES);
    }
  });

  test('a cancellation under a low limit clears the far side all the same', async () => {
    await changeLimits(store, 'global', { bytes_per_second: 64 * 1024 }, 'ops@example.org');
    const env = newEnv();
    bench.onProgress = ({ done }) => {
      if (done > 0) end(env, 'cancelled');
    };
    await expect(bench.publish(mirror(), env, { bandwidth })).rejects.toThrow();
    expect(await readdir(join(bench.dir, 'far', bench.uuid))).toEqual([]);
  });
});

describe('receipts', () => {
  /** Requests that change something at the store. */
  const writes = (): number => toStore.heard.filter(({ method }) => method !== 'GET').length;

  test('an attempt after a death behind the proof sends nothing, and reads nothing back', async () => {
    const first = { archive: await bench.publish(archive()), mirror: await bench.publish(mirror()) };
    const [wrote, gave, took] = [writes(), toStore.given, toDaemon.taken()];
    expect(await bench.publish(archive())).toEqual({ ...first.archive, sent: 0 });
    expect(await bench.publish(mirror())).toEqual({ ...first.mirror, sent: 0 });
    expect(writes()).toBe(wrote);
    expect(toStore.given - gave).toBeLessThan(10_000);
    expect(toDaemon.taken() - took).toBeLessThan(10_000);
  });

  test('the other target is sent to, though one has its receipt', async () => {
    await bench.publish(archive());
    const wrote = writes();
    expect((await bench.publish(mirror())).sent).toBeGreaterThan(BYTES);
    expect(writes()).toBe(wrote);
  });

  test('what is gone there is sent again in spite of a receipt', async () => {
    for (const target of [archive(), mirror()]) {
      await bench.publish(target);
      if (target.kind === 's3') await rm(server.pathOf(`${bench.uuid}/visus/0.bin`));
      else await rm(join(bench.dir, 'far', bench.uuid, 'visus/0.bin'));
      expect((await bench.publish(target)).sent).toBe(BYTES);
    }
  });

  test('a product that came half over another leaves no receipt of that', async () => {
    await bench.publish(archive());
    await bench.make('d', { ...CONTENTS, 'visus.idx': Buffer.from('(version)\n7\n') });
    toStore.faults.onRequest = ({ method, url = '' }) =>
      method === 'PUT' && url.includes('/manifest.json') ? { status: 403, code: 'AccessDenied' } : undefined;
    await expect(bench.publish(archive())).rejects.toMatchObject({ type: 'target_refused' });
    toStore.faults = {};
    await bench.make('a', CONTENTS);
    expect((await bench.publish(archive())).sent).toBeGreaterThan(0);
  });

  test('a receipt is for one product at one place', async () => {
    await bench.publish(archive());
    await bench.make('d', { ...CONTENTS, 'visus.idx': Buffer.from('(version)\n7\n') });
    expect((await bench.publish(archive())).sent).toBeGreaterThan(0);
    await bench.make('a', CONTENTS);
    expect((await bench.publish(archive())).sent).toBeGreaterThan(0);
    expect((await bench.publish({ ...archive(), prefix: 'other/' } as Target)).sent).toBeGreaterThan(BYTES);
  });
});
