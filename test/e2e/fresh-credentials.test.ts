// Credentials that run out half-way, on a whole Sluice: the upload fails by name, and a retry with new ones brings the rest.
import { hostname } from 'node:os';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { removeAged } from '../../src/workers/ageing.js';
import { proveProduct, tree } from '../support/data.js';
import { type FaultServer, startFaultServer } from '../support/fault-server.js';
import { patternDigest, patternPart } from '../support/pattern.js';
import { S3Proxy } from '../support/s3-proxy.js';
import { BUCKET, KEYS, S3Server } from '../support/s3-server.js';
import { postJson } from '../support/send.js';
import { Stack, until } from '../support/stack.js';

const MIB = 1024 * 1024;
const SIZE = 48 * MIB;
const PACE = 20 * MIB;
/** Each answer ends here, so that the rest is asked for with the credentials of that moment. */
const CUT = 6 * MIB;
/** What may come twice. */
const TWICE = 8 * MIB;
const pattern = { counted: SIZE };
const content = patternPart(pattern, 0, SIZE);
const GIVEN = { 'large.bin': patternDigest(pattern) };

let stack: Stack;
let web: FaultServer;
let server: S3Server;
let proxy: S3Proxy;
beforeAll(async () => {
  [stack, server] = await Promise.all([Stack.start({ SLUICE_URL_ALLOW: '127.0.0.0/8' }), S3Server.start()]);
  await server.put('large.bin', content);
  proxy = await S3Proxy.start(server.origin);
  web = await startFaultServer({ content, etag: '"v1"', pace: PACE, cutAfter: CUT });
}, 120_000);
afterAll(async () => {
  await Promise.all([web.close(), proxy.close()]);
  await Promise.all([stack.close(), server.close()]);
}, 60_000);

const served = (): number => web.heard.reduce((sum, { sent }) => sum + sent, 0);
const send = (source: object) =>
  postJson(`${stack.apiUrl}/api/v1/uploads`, {
    name: 'Half',
    user_email: 'ada@example.org',
    sensor: 'OTHER',
    source,
  });
const urlSource = (token: string) => ({ type: 'url', url: `${web.origin}/large.bin?token=${token}` });
const s3Source = () => ({
  type: 's3',
  bucket: BUCKET,
  key: 'large.bin',
  endpoint: proxy.origin,
  path_style: true,
  access_key_id: KEYS.accessKeyId,
  secret_access_key: KEYS.secretAccessKey,
});

const sources = {
  url: {
    code: 'url_denied',
    old: urlSource.bind(null, 'old'),
    fresh: urlSource.bind(null, 'new'),
    given: served,
    expire(): void {
      web.behaviour.onRequest = ({ url }) => {
        web.behaviour.instead = served() > SIZE / 2 && url?.includes('old') ? [{ status: 401 }] : [];
      };
    },
  },
  s3: {
    code: 's3_expired',
    old: s3Source,
    // The server has one pair of keys; to its front they are new from now on.
    fresh(): object {
      proxy.faults = { pace: PACE };
      return s3Source();
    },
    given: () => proxy.given,
    expire(): void {
      proxy.faults = {
        pace: PACE,
        cutAfter: CUT,
        onRequest: () => (proxy.given > SIZE / 2 ? { status: 403, code: 'ExpiredToken' } : undefined),
      };
    },
  },
} as const;

test.each(Object.entries(sources))(
  '%s: what came before the credentials ran out is not asked for again',
  async (_name, { code, old, fresh, given, expire }) => {
    expire();
    const sent = await send(old());
    expect(sent.status).toBe(201);
    const failed = await stack.settled(sent.uuid, 'failed');
    expect(failed.sluice.failure).toMatchObject({ code, blame: 'content' });
    expect(tree(`${stack.in}/.staging/${sent.job}`).length).toBeGreaterThan(0);
    // Ageing leaves it for seven days.
    const quiet = { store: stack.store, roots: { in: stack.in, out: stack.out }, log: () => undefined };
    await removeAged(quiet, new Date(Date.now() - 60_000));
    const retried = await postJson(`${stack.apiUrl}/api/v1/jobs/${sent.job}/retry`, { source: fresh() });
    expect([retried.status, retried.body.code]).toEqual([200, undefined]);
    await until('it runs again', async () => (await stack.dataset(sent.uuid)).status !== 'failed');
    await stack.settled(sent.uuid, 'done');
    await proveProduct(`${stack.out}/${sent.uuid}`, GIVEN);
    const worker_id = `${stack.worker?.pid}@${hostname()}`;
    expect(await stack.job(sent.job)).toMatchObject({ attempts: 2, worker_id });
    expect(given()).toBeLessThanOrEqual(SIZE + TWICE);
    expect(tree(`${stack.in}/.staging`)).toEqual([]);
    expect(tree(`${stack.in}/.secrets`)).toEqual([]);
  },
  90_000,
);
