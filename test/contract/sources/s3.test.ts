// Source `s3` by the contract, on a real S3 server behind a proxy with faults.
import { afterAll, beforeAll } from '@jest/globals';
import type { S3Source } from '../../../src/domain/source.js';
import { patternBlocks } from '../../support/pattern.js';
import { S3Proxy } from '../../support/s3-proxy.js';
import { BUCKET, KEYS, S3Server } from '../../support/s3-server.js';
import { type Bench, JOB, MIB, someBytes } from './bench.js';
import { sourceContract } from './contract.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 5, stallMs: 1_000 };
let server: S3Server;
let proxy: S3Proxy;
/** Every delivery lies below a prefix of its own. */
let place = '';
let places = 0;

beforeAll(async () => {
  server = await S3Server.start();
  proxy = await S3Proxy.start(server.origin);
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

async function source(bench: Bench, key: string, jobId = JOB): Promise<S3Source> {
  await bench.deps.secrets.seal(jobId, KEYS);
  return {
    kind: 's3',
    bucket: BUCKET,
    key,
    prefix: key.endsWith('/'),
    endpoint: proxy.origin,
    region: 'us-east-1',
    pathStyle: true,
    sealed: true,
  };
}

async function putAll(files: Readonly<Record<string, Buffer>>): Promise<void> {
  const waiting = Object.entries(files);
  const one = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      await server.put(`${place}${next[0]}`, next[1]);
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

sourceContract('s3', {
  settings: SETTINGS,
  transfers: true,
  several: true,
  async put(bench, files, jobId) {
    place = `p${++places}/`;
    proxy.faults.pace = 100 * MIB;
    await putAll(files);
    const names = Object.keys(files);
    return await source(bench, names.length === 1 ? `${place}${names[0]}` : place, jobId);
  },
  async nothing(bench) {
    return { source: await source(bench, 'nowhere/a.bin'), code: 's3_not_found' };
  },
  given: () => proxy.given,
  async end() {
    proxy.reset();
  },
  async putOdd(bench, files) {
    proxy.faults.pretended = new Map(Object.entries(files).map(([name, bytes]) => [`odd/${name}`, bytes]));
    return await source(bench, 'odd/');
  },
  async putLarge(bench, bytes) {
    await server.putParts('large/large.bin', patternBlocks({ counted: bytes }, 16 * MIB));
    return await source(bench, 'large/large.bin');
  },
  async denied(bench) {
    await server.put('denied.bin', someBytes(10));
    const denied = await source(bench, 'denied.bin');
    await bench.deps.secrets.seal(JOB, { ...KEYS, secretAccessKey: 'another' });
    return { source: denied, code: 's3_denied' };
  },
  change: {
    code: 's3_changed',
    replace: async (_bench, files) => await putAll(files),
  },
  throttle() {
    const slow = { status: 503, code: 'SlowDown' };
    proxy.faults = { instead: [slow, { ...slow, headers: { 'retry-after': '0' } }, slow], pace: 10 * MIB };
  },
  async corrupt(bench) {
    await server.put('corrupt.bin', someBytes(100));
    proxy.faults.headers = { etag: `"${'0'.repeat(32)}"` };
    return await source(bench, 'corrupt.bin');
  },
});
