// The beginning that tests of one store share: a real S3 server behind a proxy with faults, a file in it, a bench for each test.
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { S3Proxy } from '../../support/s3-proxy.js';
import { S3Server } from '../../support/s3-server.js';
import { Bench } from './bench.js';

/** Usable once the tests run; the bench is another one for each. */
export interface StoreHere {
  server: S3Server;
  proxy: S3Proxy;
  bench: Bench;
}

/**
 * Starts the store before the tests of a file and ends it after them.
 * @param key where `content` is put @param prepare what the bench of each test needs besides
 */
export function storeHere(
  settings: Parameters<typeof Bench.open>[0],
  key: string,
  content: Buffer,
  prepare: (at: StoreHere) => Promise<void>,
): StoreHere {
  const at = {} as StoreHere;
  beforeAll(async () => {
    at.server = await S3Server.start();
    at.proxy = await S3Proxy.start(at.server.origin);
    await at.server.put(key, content);
  });
  afterAll(async () => {
    await at.proxy.close();
    await at.server.close();
  });
  beforeEach(async () => {
    at.bench = await Bench.open(settings);
    await prepare(at);
  });
  afterEach(async () => {
    at.proxy.reset();
    await at.bench.close();
  });
  return at;
}
