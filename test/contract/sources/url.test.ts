// Source `url` by the contract, and every fault a server may have.
import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { transferFile } from '../../../src/activities/fetch/transfer/engine.js';
import { openUrl } from '../../../src/activities/fetch/url/open.js';
import { createHttp, splitUrl } from '../../../src/net/http.js';
import { type Behaviour, type FaultServer, startFaultServer } from '../../support/fault-server.js';
import { Bench, failure, JOB, MIB, someBytes, UUID } from './bench.js';
import { sourceContract } from './contract.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 5, stallMs: 1_000 };
let server: FaultServer | undefined;

async function serve(behaviour: Behaviour): Promise<FaultServer> {
  server = await startFaultServer({ etag: '"v1"', ...behaviour });
  return server;
}
const end = async (): Promise<void> => {
  await server?.close();
  server = undefined;
};

sourceContract('url', {
  settings: SETTINGS,
  transfers: true,
  async put(_bench, files) {
    const [[name, content] = ['', Buffer.alloc(0)]] = Object.entries(files);
    const { origin } = await serve({ content, pace: 100 * MIB });
    return { kind: 'url', url: `${origin}/dir/${name}`, sealed: false };
  },
  async nothing() {
    const { origin } = await serve({ content: Buffer.alloc(0), instead: [{ status: 404 }] });
    return { source: { kind: 'url', url: `${origin}/x`, sealed: false }, code: 'url_not_found' };
  },
  given: () => (server?.heard ?? []).reduce((sum, { sent }) => sum + sent, 0),
  end,
  cannot: { several: 'an address names one file' },
  // The name stands in the address, and in what the server says of it.
  async putOdd(_bench, files) {
    const [[name, content] = ['', Buffer.alloc(0)], second] = Object.entries(files);
    if (second !== undefined) return undefined;
    const told = `attachment; filename*=UTF-8''${encodeURIComponent(name)}`;
    const { origin } = await serve({ content, headers: { 'content-disposition': told } });
    return { kind: 'url', url: `${origin}/${encodeURIComponent(name)}`, sealed: false };
  },
  async putLarge(_bench, bytes) {
    const { origin } = await serve({ content: { counted: bytes } });
    return { kind: 'url', url: `${origin}/large.bin`, sealed: false };
  },
  async denied() {
    const { origin } = await serve({ content: Buffer.alloc(0), instead: [{ status: 403 }] });
    return { source: { kind: 'url', url: `${origin}/x`, sealed: false }, code: 'url_denied' };
  },
  change: {
    code: 'url_changed',
    replace: (_bench, files) =>
      void Object.assign(server?.behaviour ?? {}, { content: files['a.bin'], etag: '"v2"' }),
  },
  throttle() {
    const headers = { 'retry-after': '0' };
    const instead = [{ status: 429, headers }, { status: 503 }, { status: 429 }];
    Object.assign(server?.behaviour ?? {}, { instead, pace: 10 * MIB });
  },
  async corrupt() {
    const headers = { digest: `sha-256=${createHash('sha256').update('others').digest('base64')}` };
    const { origin } = await serve({ content: someBytes(100), headers });
    return { kind: 'url', url: `${origin}/x`, sealed: false };
  },
});

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open(SETTINGS);
});
afterEach(async () => {
  await end();
  await bench.close();
});
const content = someBytes(10 * MIB);
const ranges = (): (string | undefined)[] => (server?.heard ?? []).map(({ range }) => range);

/** Fetches `<origin>/f.bin`. */
async function fetchFrom(behaviour: Partial<Behaviour>, name = 'f.bin') {
  const { origin } = server ?? (await serve({ content, ...behaviour }));
  return await bench.run({ kind: 'url', url: `${origin}/${name}`, sealed: false });
}

describe('faults that are survived', () => {
  test.each(['fin', 'rst'] as const)('cut (%s) after every tenth of the file', async (cutBy) => {
    await bench.prove(await fetchFrom({ cutAfter: MIB, cutBy }), { 'f.bin': content });
    expect(server?.heard.length).toBeGreaterThanOrEqual(10);
    // No byte twice. (A reset throws away what lies in the network, so nothing can be said there.)
    if (cutBy === 'fin') expect(server?.heard.reduce((sum, { sent }) => sum + sent, 0)).toBe(content.length);
  });

  test('a burst of 500, 503 and 429 with Retry-After', async () => {
    const headers = { 'retry-after': '1' };
    const instead = [{ status: 500 }, { status: 503, headers }, { status: 429 }, { status: 502 }];
    const before = Date.now();
    await bench.prove(await fetchFrom({ instead }), { 'f.bin': content });
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_000);
  });

  test('a stall ends after its limit and only that range goes on', async () => {
    await bench.prove(await fetchFrom({ stallOnceAfter: MIB }), { 'f.bin': content });
    expect(server?.heard.length).toBe(6);
  });

  test('a server without ranges, cut once', async () => {
    const onRequest = (_request: unknown, number: number): void => {
      if (server) server.behaviour.cutAfter = number === 1 ? 5 * MIB : undefined;
    };
    await bench.prove(await fetchFrom({ ranges: false, onRequest }), { 'f.bin': content });
    expect(server?.heard.length).toBe(2);
  });

  test('a change between two ranges, once: from the start, all of one version', async () => {
    const other = someBytes(10 * MIB);
    const onRequest = (_request: unknown, number: number): void => {
      if (server && number === 3) Object.assign(server.behaviour, { content: other, etag: '"v2"' });
    };
    await bench.prove(await fetchFrom({ onRequest }), { 'f.bin': other });
  });

  test('a change that only the length and the date show', async () => {
    const other = someBytes(9 * MIB);
    const onRequest = (_request: unknown, number: number): void => {
      const lastModified = 'Tue, 02 Jan 2024 00:00:00 GMT';
      if (server && number === 3) Object.assign(server.behaviour, { content: other, lastModified });
    };
    const lastModified = 'Mon, 01 Jan 2024 00:00:00 GMT';
    await bench.prove(await fetchFrom({ onRequest, etag: undefined, lastModified }), { 'f.bin': other });
  });

  test('no way to tell versions apart: one stream, never joined from two answers', async () => {
    const onRequest = (_request: unknown, number: number): void => {
      if (server) server.behaviour.cutAfter = number === 2 ? 5 * MIB : undefined;
    };
    await bench.prove(await fetchFrom({ etag: undefined, onRequest }), { 'f.bin': content });
    expect(ranges()).toEqual([`bytes=0-${2 * MIB - 1}`, undefined, undefined]);
  });

  test('redirects are followed, credentials stay with their origin, the secret is forgotten', async () => {
    const target = await startFaultServer({ content, etag: '"v1"' });
    const location = `${target.origin}/real?sig=2`;
    const { origin } = await serve({
      content,
      instead: Array.from({ length: 20 }, () => ({ status: 302, headers: { location } })),
    });
    const { url, secret } = splitUrl(`${origin.replace('http://', 'http://ada:pw@')}/f.bin?token=1`);
    await bench.deps.secrets.seal(JOB, secret ?? {});
    await bench.prove(await bench.run({ kind: 'url', url, sealed: true }), { 'f.bin': content });
    expect(server?.heard[0]).toMatchObject({
      url: '/f.bin?token=1',
      authorization: `Basic ${btoa('ada:pw')}`,
    });
    expect(target.heard.map(({ authorization }) => authorization)).not.toContain(`Basic ${btoa('ada:pw')}`);
    expect(await bench.deps.secrets.open(JOB)).toBeUndefined();
    await target.close();
  });
});

describe('faults that end it, each with its code', () => {
  test.each<[string, string, Partial<Behaviour>, boolean]>([
    ['404', 'url_not_found', { instead: [{ status: 404 }] }, true],
    ['410', 'url_not_found', { instead: [{ status: 410 }] }, true],
    ['401', 'url_denied', { instead: [{ status: 401 }] }, true],
    ['403', 'url_denied', { instead: [{ status: 403 }] }, true],
    ['400', 'url_refused', { instead: [{ status: 400 }] }, true],
    [
      'a server that only fails',
      'url_broken',
      { instead: Array.from({ length: 5 }, () => ({ status: 503 })) },
      false,
    ],
    ['a server that resets at once', 'url_broken', { cutAfter: 0, cutBy: 'rst' }, false],
    ['an early end, again and again', 'url_short', { sendsOnly: 3 * MIB }, true],
    ['an early end without ranges', 'url_short', { sendsOnly: 3 * MIB, ranges: false }, true],
    ['more bytes than announced', 'url_short', { adds: 10 }, true],
    [
      'a circle',
      'url_too_many_redirects',
      { instead: Array.from({ length: 9 }, () => ({ status: 301, headers: { location: '/f' } })) },
      true,
    ],
    [
      'a redirect to a private address',
      'url_forbidden',
      { instead: [{ status: 302, headers: { location: 'http://10.0.0.1/x' } }] },
      true,
    ],
    [
      'a wrong Content-MD5',
      'checksum_mismatch',
      { ranges: false, headers: { 'content-md5': btoa('0123456789abcdef') } },
      true,
    ],
    ['a wrong Digest', 'checksum_mismatch', { headers: { digest: 'sha-256=AAAA' } }, true],
  ])('%s: %s', async (_what, code, behaviour, final) => {
    await expect(fetchFrom(behaviour)).rejects.toEqual(failure(code, final));
    if (final) await bench.proveEmptyStaging();
  });

  test('a file that changes again and again', async () => {
    const onRequest = (_request: unknown, number: number): void => {
      if (server) server.behaviour.etag = `"v${number}"`;
    };
    await expect(fetchFrom({ onRequest })).rejects.toEqual(failure('url_changed'));
    await bench.proveEmptyStaging();
  });

  test('an attempt that broke keeps its bytes for the next one', async () => {
    await expect(fetchFrom({ sendsOnly: 5 * MIB, cutBy: 'rst' })).rejects.toEqual(
      failure('url_broken', false),
    );
    if (server) server.behaviour.sendsOnly = undefined;
    const before = server?.heard.length ?? 0;
    await bench.prove(await fetchFrom({}), { 'f.bin': content });
    const again = server?.heard.slice(before).reduce((sum, { sent }) => sum + sent, 0);
    // The missing half, and what the reset threw away in the network.
    expect(again).toBeLessThanOrEqual(8 * MIB);
  });

  test('an address that is not public, without a word of path or secret', async () => {
    const deps = { ...bench.deps, urlAllow: [] };
    const { origin } = await serve({ content });
    const run = bench.run({ kind: 'url', url: `${origin}/secret-path`, sealed: false }, {}, deps);
    await expect(run).rejects.toMatchObject({
      type: 'url_forbidden',
      message: expect.not.stringContaining('secret'),
    });
    expect(server?.heard).toEqual([]);
  });

  test('a port where nobody listens', async () => {
    const { origin } = await serve({ content });
    await end();
    const run = bench.run({ kind: 'url', url: `${origin}/f`, sealed: false });
    await expect(run).rejects.toEqual(failure('url_broken', false));
  });
});

describe('names and digests', () => {
  test.each([
    ['attachment; filename="scan 1.tif"', 'x', 'scan 1.tif'],
    ["attachment; filename=a.tif; filename*=UTF-8''%C3%A9t%C3%A9.tif", 'x', 'été.tif'],
    ['attachment; filename="../../etc/passwd"', 'x', 'passwd'],
    ['attachment; filename="..\\\\..\\\\boot.ini"', 'x', 'boot.ini'],
    ['inline', 'dir/of%20mine.tif', 'of mine.tif'],
    ['inline', 'a%2F..%2F', 'download'],
    ['inline', '', 'download'],
  ])('%s at /%s is %s', async (disposition, path, name) => {
    const small = someBytes(100);
    const headers = { 'content-disposition': disposition };
    await bench.prove(await fetchFrom({ content: small, headers }, path), { [name]: small });
  });

  test('right digests of every kind pass, also when the file comes in ranges', async () => {
    const told = (algorithm: string): string => createHash(algorithm).update(content).digest('base64');
    const headers = {
      digest: `md5=${told('md5')},sha=${told('sha1')}`,
      'repr-digest': `sha-512=:${told('sha512')}:, sha-256=:${told('sha256')}:`,
    };
    await bench.prove(await fetchFrom({ headers }), { 'f.bin': content });
    expect((await readFile(join(bench.roots.in, UUID, 'f.bin'))).length).toBe(content.length);
  });
});

test('a journal that cannot be written any more is the error, and no file stays open', async () => {
  const { origin } = await serve({ content, pace: 100 * MIB });
  const partial = join(bench.dir, 'gone/partial');
  const advance = (done: number): void => {
    if (done > 0) rmSync(dirname(partial), { recursive: true, force: true });
  };
  const http = createHttp({ allow: ['127.0.0.0/8'], stallMs: 1_000 });
  const job = {
    opener: openUrl(http, { url: new URL(`${origin}/f.bin`) }),
    settings: { ...SETTINGS, streams: 1, tries: 1, stallMs: 1_000 },
    path: partial,
    owner: { runId: 'r', attempt: 1, since: 1 },
    signal: new AbortController().signal,
    pace: async () => undefined,
    advance,
  };
  await expect(transferFile(job)).rejects.toThrow();
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  expect(open.filter((name) => name.startsWith(bench.dir))).toEqual([]);
});
