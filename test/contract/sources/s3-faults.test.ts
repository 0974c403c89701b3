// Source `s3`: what only a store can do wrong, and what it must still bring: digests of parts, regions, clocks, rights.
import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { S3Source } from '../../../src/domain/source.js';
import type { Refusal } from '../../support/s3-proxy.js';
import { BUCKET, KEYS } from '../../support/s3-server.js';
import { failure, JOB, MIB, someBytes } from './bench.js';
import { storeHere } from './store-here.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 5, stallMs: 1_000 };
const content = someBytes(10 * MIB);
const here = storeHere(SETTINGS, 'f.bin', content, async ({ bench }) => {
  await bench.deps.secrets.seal(JOB, KEYS);
});

const source = (more: Partial<S3Source> = {}): S3Source => ({
  kind: 's3',
  bucket: BUCKET,
  key: 'f.bin',
  prefix: false,
  endpoint: here.proxy.origin,
  region: 'us-east-1',
  pathStyle: true,
  sealed: true,
  ...more,
});
const run = (more: Partial<S3Source> = {}) => here.bench.run(source(more));
const gets = () => here.proxy.heard.filter(({ method }) => method === 'GET');

describe('faults that are survived', () => {
  test('a connection that is cut after every tenth of the object', async () => {
    here.proxy.faults.cutAfter = MIB;
    await here.bench.prove(await run(), { 'f.bin': content });
    expect(gets().length).toBeGreaterThanOrEqual(10);
  });

  test('a burst of refusals in the store’s words', async () => {
    here.proxy.faults.instead = [
      { status: 503, code: 'SlowDown' },
      { status: 500, code: 'InternalError' },
      { status: 429, code: 'TooManyRequests', headers: { 'retry-after': '1' } },
      { status: 400, code: 'RequestTimeout' },
    ];
    const before = Date.now();
    await here.bench.prove(await run(), { 'f.bin': content });
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_000);
  });

  test('a stall in the middle', async () => {
    here.proxy.faults.stallOnceAfter = MIB;
    await here.bench.prove(await run(), { 'f.bin': content });
  });

  test('a store that is stopped in mid-transfer and started again', async () => {
    here.proxy.faults.pace = 10 * MIB;
    const deps = { ...here.bench.deps, transfer: { ...SETTINGS, backOffMs: 20, tries: 8 } };
    let restart: Promise<void> | undefined;
    const onProgress = ({ done }: { done: number }): void => {
      if (done > 4 * MIB) restart ??= here.server.restart(300);
    };
    await here.bench.prove(await here.bench.run(source(), { onProgress }, deps), { 'f.bin': content });
    await restart;
    expect(restart).toBeDefined();
    // What was in flight is fetched again.
    expect(here.proxy.given).toBeLessThanOrEqual(content.length + 8 * 2 * MIB);
  });

  test('a store that knows no ranges', async () => {
    here.proxy.faults.pretended = new Map([['f.bin', content]]);
    await here.bench.prove(await run(), { 'f.bin': content });
  });

  test('a region that is not the bucket’s: the one that the store tells is used', async () => {
    await here.bench.prove(await run({ region: 'eu-west-1' }), { 'f.bin': content });
  });

  test('a bucket elsewhere, told by a redirect', async () => {
    const headers = { 'x-amz-bucket-region': 'us-east-1' };
    const redirect = { status: 301, code: 'PermanentRedirect', headers };
    here.proxy.faults.instead = [redirect, redirect];
    await here.bench.prove(await run({ region: 'eu-west-1' }), { 'f.bin': content });
  });

  test('a clock that differs is found out and followed', async () => {
    const ahead = 10 * 60_000;
    here.proxy.faults.onRequest = ({ headers }) => {
      const text = String(headers['x-amz-date']);
      const at = Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
      if (at > Date.now() + ahead / 2) return undefined;
      const date = new Date(Date.now() + ahead).toUTCString();
      return { status: 403, code: 'RequestTimeTooSkewed', headers: { date } };
    };
    await here.bench.prove(await run(), { 'f.bin': content });
  });

  test('an object that is replaced between two ranges, once: from the start, all of one version', async () => {
    const other = someBytes(10 * MIB);
    await here.server.put('moves.bin', content);
    here.proxy.faults.onRequest = async (_request, number) => {
      if (number === 4) await here.server.put('moves.bin', other);
      return undefined;
    };
    await here.bench.prove(await run({ key: 'moves.bin' }), { 'moves.bin': other });
  });
});

describe('faults that end it, each with its code', () => {
  const from = (start: number, refusal: Refusal) => (_request: unknown, number: number) =>
    number >= start ? refusal : undefined;

  test.each<[string, string, Refusal, RegExp]>([
    ['keys that expire in mid-transfer', 's3_expired', { status: 400, code: 'ExpiredToken' }, /expired/],
    ['an archived object', 's3_refused', { status: 403, code: 'InvalidObjectState' }, /archived/],
    ['unknown keys', 's3_denied', { status: 403, code: 'InvalidAccessKeyId' }, /does not know these keys/],
    ['no right to read', 's3_denied', { status: 403, code: 'AccessDenied' }, /s3:GetObject/],
    ['a bucket elsewhere', 's3_refused', { status: 301, code: 'PermanentRedirect' }, /elsewhere/],
    [
      'a request that it does not take',
      's3_refused',
      { status: 400, code: 'InvalidRequest' },
      /InvalidRequest/,
    ],
  ])('%s: %s', async (_what, code, refusal, words) => {
    // The HEAD and the first ranges succeed.
    here.proxy.faults.onRequest = from(4, refusal);
    const ended = run();
    await expect(ended).rejects.toEqual(failure(code));
    await expect(ended).rejects.toMatchObject({ message: expect.stringMatching(words) });
    await expect(ended).rejects.not.toMatchObject({ message: expect.stringContaining(KEYS.secretAccessKey) });
    if (code === 's3_refused') return await here.bench.proveEmptyStaging();
    // What other keys mend keeps what came.
    here.proxy.faults = {};
    const before = here.proxy.given;
    await here.bench.prove(await run(), { 'f.bin': content });
    expect(here.proxy.given - before).toBeLessThanOrEqual(content.length - 2 * MIB);
  });

  test('a HEAD that is refused is asked again in a way that has words', async () => {
    here.proxy.faults.onRequest = from(1, { status: 400, code: 'ExpiredToken' });
    await expect(run()).rejects.toEqual(failure('s3_expired'));
  });

  test('a store that only fails: what came is kept for the next attempt', async () => {
    here.proxy.faults.onRequest = from(4, { status: 503, code: 'SlowDown' });
    await expect(run()).rejects.toEqual(failure('s3_broken', false));
    here.proxy.faults = {};
    const before = here.proxy.given;
    await here.bench.prove(await run(), { 'f.bin': content });
    expect(here.proxy.given - before).toBeLessThanOrEqual(content.length - 2 * MIB);
  });

  test('a store that announces more bytes than it has: in what it tells of the object, or with each of its parts', async () => {
    here.proxy.faults.onRequest = ({ method }) => {
      here.proxy.faults.headers = method === 'HEAD' ? { 'content-length': `${content.length + 5}` } : {};
      return undefined;
    };
    await here.bench.prove(await run(), { 'f.bin': content });
    here.proxy.faults = { announcesMore: 5 };
    await here.bench.deps.secrets.seal('upload_2_0000000b', KEYS);
    await expect(here.bench.run(source(), { jobId: 'upload_2_0000000b' })).rejects.toEqual(
      failure('s3_short'),
    );
    await here.bench.proveEmptyStaging();
  });

  test('an object that changes again and again', async () => {
    here.proxy.faults.onRequest = (_request, number) => {
      here.proxy.faults.headers = { etag: `"version-${number}"` };
      return undefined;
    };
    await expect(run()).rejects.toEqual(failure('s3_changed'));
    await here.bench.proveEmptyStaging();
  });

  test('no such bucket, and no such object', async () => {
    await expect(run({ bucket: 'nowhere' })).rejects.toMatchObject({
      type: 's3_not_found',
      message: expect.stringContaining('bucket nowhere'),
    });
    await expect(run({ key: 'gone.bin' })).rejects.toMatchObject({
      type: 's3_not_found',
      message: expect.stringContaining('gone.bin'),
    });
    await expect(run({ key: 'gone/', prefix: true })).rejects.toEqual(failure('no_files'));
  });

  test('a private endpoint is not even asked', async () => {
    const deps = { ...here.bench.deps, urlAllow: [] };
    await expect(here.bench.run(source(), {}, deps)).rejects.toEqual(failure('url_forbidden'));
    expect(here.proxy.heard).toEqual([]);
  });

  test('keys that are no longer kept', async () => {
    await here.bench.deps.secrets.forget(JOB);
    await expect(run()).rejects.toEqual(failure('s3_denied'));
  });
});

describe('rights and lists', () => {
  test('a bucket that may not be listed gives an object to everybody, and names the right that a list needs', async () => {
    await here.server.makeUnlisted('unlisted');
    await here.server.put('a/f.bin', content, 'unlisted');
    const open = { bucket: 'unlisted', sealed: false };
    await here.bench.prove(await run({ ...open, key: 'a/f.bin' }), { 'f.bin': content });
    const listed = here.bench.run(source({ ...open, key: 'a/', prefix: true }), {
      jobId: 'upload_2_0000000b',
    });
    await expect(listed).rejects.toMatchObject({
      type: 's3_denied',
      message: expect.stringContaining('s3:ListBucket'),
    });
  });

  test('pages are read to their end; what only stands for a directory is left out', async () => {
    const one = Array.from({ length: 250 }, (_, i): [string, Buffer] => [
      `many/${i}.bin`,
      Buffer.from(`${i}`),
    ]);
    here.proxy.faults.pretended = new Map<string, Buffer>([['many/', Buffer.alloc(0)], ...one]);
    const files = Object.fromEntries(one.map(([key, bytes]) => [key.slice('many/'.length), bytes]));
    await here.bench.prove(await run({ key: 'many/', prefix: true }), files);
    expect(here.proxy.heard.filter(({ url }) => url.includes('list-type')).length).toBe(3);
  });

  test('a prefix that ends within a name keeps the names whole', async () => {
    await here.server.put('p/scan-1.bin', content.subarray(0, 10));
    await here.server.put('p/scan-2/x.bin', content.subarray(0, 20));
    const files = { 'scan-1.bin': content.subarray(0, 10), 'scan-2/x.bin': content.subarray(0, 20) };
    await here.bench.prove(await run({ key: 'p/scan-', prefix: true }), files);
  });

  test.each([
    ['an empty part', ['n/a//b.bin']],
    ['a file that is a directory too', ['n/a', 'n/a/b.bin']],
    ['content under the name of a directory', ['n/a/']],
  ])('%s is refused by name', async (_what, keys) => {
    here.proxy.faults.pretended = new Map(keys.map((key) => [key, Buffer.from('x')]));
    await expect(run({ key: 'n/', prefix: true })).rejects.toEqual(failure('unsafe_name'));
    await here.bench.proveEmptyStaging();
  });
});

describe('digests', () => {
  const md5 = (bytes: Buffer): Buffer => createHash('md5').update(bytes).digest();
  const parts = [someBytes(5 * MIB), someBytes(5 * MIB), someBytes(1000)];

  test('an object that came in parts is held against the digest of its parts', async () => {
    await here.server.putParts('parts.bin', parts);
    await here.bench.prove(await run({ key: 'parts.bin' }), { 'parts.bin': Buffer.concat(parts) });
    expect(here.proxy.heard.filter(({ url }) => url.includes('partNumber')).length).toBe(2);
  });

  test('other bytes than its parts had', async () => {
    const others = [...parts.slice(0, 2), someBytes(1000)];
    await here.server.putParts('other.bin', parts);
    const told = createHash('md5')
      .update(Buffer.concat(others.map(md5)))
      .digest('hex');
    here.proxy.faults.headers = { etag: `"${told}-3"` };
    const whole = {
      ...here.bench.deps,
      transfer: { ...SETTINGS, pieceBytes: 32 * MIB, parallelAbove: 32 * MIB },
    };
    await expect(here.bench.run(source({ key: 'other.bin' }), {}, whole)).rejects.toEqual(
      failure('checksum_mismatch'),
    );
    await here.bench.proveEmptyStaging();
  });

  test('parts of different sizes prove nothing, and are no fault', async () => {
    const uneven = [someBytes(6 * MIB), someBytes(5 * MIB), someBytes(1000)];
    await here.server.putParts('uneven.bin', uneven);
    await here.bench.prove(await run({ key: 'uneven.bin' }), { 'uneven.bin': Buffer.concat(uneven) });
  });

  test('under keys of a key service the ETag is no digest', async () => {
    await here.server.put('kms.bin', content.subarray(0, 100));
    here.proxy.faults.headers = { etag: `"${'0'.repeat(32)}"`, 'x-amz-server-side-encryption': 'aws:kms' };
    await here.bench.prove(await run({ key: 'kms.bin' }), { 'kms.bin': content.subarray(0, 100) });
  });
});
