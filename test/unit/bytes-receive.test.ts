// Receiving bytes into staging, and which names may come in.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Roots } from '../../src/bytes/layout.js';
import { openReceiver, readReceived } from '../../src/bytes/receive.js';
import { besidePath, safeRelativePath, trimSlashes } from '../../src/bytes/safe-names.js';

let dir: string;
let roots: Roots;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-bytes-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const JOB = 'upload_1_00000001';

describe('names', () => {
  test.each(['a.tif', 'a/b c/d.tif', 'e\u0301.tif', '...', '.hidden', 'CON', `${'x'.repeat(255)}/y`])(
    'keeps %j',
    (name) => expect(safeRelativePath(name)).toBe(name.normalize('NFC')),
  );

  test.each([
    '/etc/passwd',
    '../a',
    'a/../b',
    './a',
    'a//b',
    'a/',
    'a\0b',
    'a\nb',
    'a\\b',
    'C:x',
    'x'.repeat(256),
    'é'.repeat(128),
    `${'x'.repeat(250)}/${'x'.repeat(250)}/${'x'.repeat(250)}/${'x'.repeat(250)}`,
    '.staging/x',
    '.Manifests',
    '\uD800',
  ])('refuses %j', (name) =>
    expect(() => safeRelativePath(name)).toThrow(expect.objectContaining({ code: 'unsafe_name' })),
  );

  test.each(['', '  '])('an empty name (%j) has its own code', (name) =>
    expect(() => safeRelativePath(name)).toThrow(expect.objectContaining({ code: 'empty_file_name' })),
  );

  test('a second name keeps the extension and fits the disk', () => {
    expect(besidePath('d/scan.tif', '0a1b')).toBe('d/scan-0a1b.tif');
    expect(Buffer.byteLength(besidePath(`${'é'.repeat(125)}.tif`, '0a1b'))).toBeLessThanOrEqual(255);
    const odd = besidePath(`d/a.${'é'.repeat(126)}`, '0a1b');
    expect(odd.endsWith('-0a1b')).toBe(true);
    expect(Buffer.byteLength(odd)).toBeLessThanOrEqual(257);
  });

  test('slashes behind a name go, in no time', () => {
    expect(['a/b//', '//', '', 'a'].map(trimSlashes)).toEqual(['a/b', '', '', 'a']);
    const began = performance.now();
    trimSlashes(`${'/'.repeat(100_000)}a`);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

const FILL = { idleMs: 60_000, signal: new AbortController().signal };

describe('receiver', () => {
  test('writes files, then the marker', async () => {
    const receiver = openReceiver(roots, JOB);
    const a = await receiver.file('d/a.bin');
    const chunks = Array.from({ length: 40 }, (_, i) => Buffer.alloc(i * 1000, i));
    await a.fill(Readable.from(chunks), FILL);
    expect(await a.close()).toBe(780_000);
    const b = await receiver.file('b.txt');
    await b.fill(Readable.from([Buffer.from('hello')]), FILL);
    await expect(receiver.finish()).rejects.toMatchObject({ code: 'upload_interrupted' });
    expect(await readReceived(roots, JOB)).toBeUndefined();
    expect(await b.close()).toBe(5);
    expect(await receiver.finish()).toEqual({ files: 2, bytes: 780_005 });
    expect(await readReceived(roots, JOB)).toEqual([
      { path: 'd/a.bin', size: 780_000 },
      { path: 'b.txt', size: 5 },
    ]);
    const files = join(roots.in, '.staging', JOB, 'files');
    expect((await readFile(join(files, 'd/a.bin'))).equals(Buffer.concat(chunks))).toBe(true);
  });

  test('refuses a name twice, and a file where a directory is', async () => {
    const receiver = openReceiver(roots, JOB);
    await (await receiver.file('a')).close();
    await expect(receiver.file('a')).rejects.toMatchObject({ code: 'invalid_field' });
    await expect(receiver.file('a/b')).rejects.toMatchObject({ code: 'invalid_field' });
  });

  test('abort leaves nothing, also in mid-file', async () => {
    const receiver = openReceiver(roots, JOB);
    const file = await receiver.file('a');
    const body = new PassThrough();
    body.write(Buffer.alloc(3_000_000));
    const filling = file.fill(body, FILL).catch(() => 'ended');
    await receiver.abort();
    expect(await filling).toBe('ended');
    expect(await readdir(join(roots.in, '.staging'))).toEqual([]);
  });
});
