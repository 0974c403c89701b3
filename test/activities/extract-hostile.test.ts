// Archives of all kinds that mean harm, and such that time or a bad wire has hurt: a code, and nothing left behind.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTar, makeZip } from '../support/archives.js';
import { Extraction, type Files, UUID } from '../support/extraction.js';
import { makeRar4, makeRar5 } from '../support/rar.js';

const packing = mkdtempSync(join(tmpdir(), 'sluice-hostile-'));
afterAll(() => rmSync(packing, { recursive: true }));
let at: Extraction;
beforeEach(async () => {
  at = await Extraction.create();
});
afterEach(() => at.close());

const CONTENT = randomBytes(50_000);
const good = { name: 'good', content: CONTENT };

/** Packs a file `good` with 7zz. */
const sevenZip = (...args: readonly string[]): Buffer => sevenZipOf(CONTENT, ...args);
function sevenZipOf(content: Buffer, ...args: readonly string[]): Buffer {
  writeFileSync(join(packing, 'good'), content);
  rmSync(join(packing, 'a.7z'), { force: true });
  execFileSync('7zz', ['a', ...args, join(packing, 'a.7z'), 'good'], { cwd: packing, stdio: 'pipe' });
  return readFileSync(join(packing, 'a.7z'));
}
const filtered = (program: string, bytes: Buffer): Buffer =>
  execFileSync(program, ['-c'], { input: bytes, maxBuffer: 1e9, stdio: ['pipe', 'pipe', 'pipe'] });

const fifo = { name: 'evil', type: '6' };
const through = [
  { name: 'd', type: '2', link: '/tmp' },
  { name: 'd/evil', content: CONTENT },
];
const bombs = Buffer.alloc(30_000_000);
const zeros = { name: 'zeros', content: bombs, packed: true };

test.each<[string, string, () => Buffer]>([
  ['tar that writes through a link', 'archive_unsafe', () => makeTar([good, ...through])],
  ['tar with a pipe', 'archive_unsafe', () => makeTar([good, fifo])],
  ['tar.zst with a pipe', 'archive_unsafe', () => filtered('zstd', makeTar([good, fifo]))],
  ['tar with an unknown entry', 'archive_unsupported', () => makeTar([good, { name: 'x', type: 'Q' }])],
  ['tar with a sparse file', 'archive_unsupported', () => makeTar([good, { name: 'x', type: 'S' }])],
  ['tar of several volumes', 'archive_multivolume', () => makeTar([good, { name: 'x', type: 'M' }])],
  ['two tars in a row', 'archive_broken', () => Buffer.concat([makeTar([good]), makeTar([good])])],
  ['7z behind a password', 'archive_encrypted', () => sevenZip('-psecret')],
  ['7z whose names are encrypted', 'archive_encrypted', () => sevenZip('-psecret', '-mhe=on')],
  ['7z by PPMd', 'archive_unsupported', () => sevenZip('-m0=PPMd')],
  ['7z with a huge dictionary', 'archive_unsupported', () => hugeDictionary()],
  ['rar with a link', 'archive_unsafe', () => makeRar5([good, { name: 'evil', link: '/etc/passwd' }])],
  ['rar 4 with a link', 'archive_unsafe', () => makeRar4([good, { name: 'evil', mode: 0o120777 }])],
  [
    'rar behind a password',
    'archive_encrypted',
    () => makeRar5([good, { ...good, name: 'x', encrypted: true }]),
  ],
  ['rar 4 behind a password', 'archive_encrypted', () => makeRar4([{ ...good, encrypted: true }])],
  ['rar of several volumes', 'archive_multivolume', () => makeRar5([good], { volume: true })],
  ['rar 4 of several volumes', 'archive_multivolume', () => makeRar4([good], { volume: true })],
  ['zip of several volumes', 'archive_multivolume', () => spanned()],
  ['zip whose entries overlap', 'archive_broken', () => overlapping()],
  ['zip with an unknown method', 'archive_unsupported', () => deflate64()],
  ['gz bomb', 'archive_bomb', () => gzipSync(bombs)],
  ['bz2 bomb', 'archive_bomb', () => filtered('bzip2', bombs)],
  ['xz bomb', 'archive_bomb', () => filtered('xz', bombs)],
  ['zst bomb', 'archive_bomb', () => filtered('zstd', bombs)],
  ['7z bomb', 'archive_bomb', () => sevenZipOf(bombs)],
  ['rar bomb', 'archive_bomb', () => makeRar5([good, zeros])],
  ['rar that holds more than it tells', 'archive_broken', () => makeRar5([good, { ...zeros, size: 100 }])],
  ['rar with a huge window', 'archive_unsupported', () => makeRar5([{ ...zeros, window: 15 }])],
  ['gz with something behind it', 'archive_broken', () => Buffer.concat([gzipSync(CONTENT), CONTENT])],
])('%s: %s', async (_what, code, bytes) => {
  await at.proveRefused('a.zip', bytes(), code);
});

/** The property of LZMA2 that asks for 3 GiB. */
function hugeDictionary(): Buffer {
  const bytes = sevenZip('-m0=LZMA2', '-mhc=off', '-mf=off');
  const header = bytes.length - bytes.readUInt32LE(20);
  const property = bytes.indexOf(Buffer.from([0x21, 0x21, 0x01]), header) + 3;
  bytes.writeUInt8(39, property);
  bytes.writeUInt32LE(crc32(bytes.subarray(header)), 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(12, 32)), 8);
  return bytes;
}

/** The last of several parts of a zip. */
function spanned(): Buffer {
  const bytes = makeZip([good]);
  bytes.writeUInt16LE(1, bytes.length - 18);
  return bytes;
}

function deflate64(): Buffer {
  const bytes = makeZip([good]);
  bytes.writeUInt16LE(9, bytes.lastIndexOf('PK\x01\x02') + 10);
  return bytes;
}

/** Two entries of the directory for the same bytes, as bombs without recursion are made. */
function overlapping(): Buffer {
  const one = makeZip([good, { ...good, name: 'evil' }]);
  const second = one.lastIndexOf('PK\x01\x02');
  one.writeUInt32LE(0, second + 42);
  return one;
}

describe('hurt', () => {
  const tar = makeTar([good, { name: 'more', content: CONTENT }]);
  test.each<[string, () => Buffer]>([
    ['tar', () => tar],
    ['tar.gz', () => gzipSync(tar)],
    ['tar.bz2', () => filtered('bzip2', tar)],
    ['tar.xz', () => filtered('xz', tar)],
    ['tar.zst', () => filtered('zstd', tar)],
    ['7z', () => sevenZip()],
    ['zip', () => makeZip([good])],
    ['rar', () => makeRar5([good])],
  ])('%s: cut off anywhere, or with a wrong byte in its data', async (_what, make) => {
    const bytes = make();
    // What a plain tar has behind its end mark may go.
    for (const share of [0.3, 0.7, bytes === tar ? 0.98 : 0.9999]) {
      await at.proveRefused('a', bytes.subarray(0, Math.floor(bytes.length * share)), 'archive_broken');
    }
    const wrong = Buffer.from(bytes);
    const middle = Math.floor(bytes.length / 3);
    wrong.writeUInt8(wrong.readUInt8(middle) ^ 0x10, middle);
    // A plain tar has checksums for its headers alone.
    if (bytes !== tar) await at.proveRefused('a', wrong, 'archive_broken');
  });
});

describe('archives inside', () => {
  const input = { archives: { nested: true } } as const;
  const inner = makeZip([good, { name: 'deep.zip', content: makeZip([good]) }]);
  const outer = (files: Files): Buffer =>
    makeTar(Object.entries(files).map(([name, content]) => ({ name, content })));

  test('stay files, unless they are asked for; then one level is unpacked', async () => {
    const bytes = outer({ 'd/in.zip': inner, 'd/x.tif.gz': gzipSync(CONTENT), 'd/y': CONTENT });
    const files = { 'a.tar': bytes };
    await at.prove(await at.extract(files), {
      'a/d/in.zip': inner,
      'a/d/x.tif.gz': gzipSync(CONTENT),
      'a/d/y': CONTENT,
    });
    const other = { 'b.tar': outer({ 'd/in.zip': inner, 'd/x.tif.gz': gzipSync(CONTENT), 'd/in': CONTENT }) };
    await at.prove(await at.extract(other, { input }), {
      'b/d/in-1/good': CONTENT,
      'b/d/in-1/deep.zip': makeZip([good]),
      'b/d/x.tif': CONTENT,
      'b/d/in': CONTENT,
    });
  });

  test('are held to the limits of the outer one together', async () => {
    const layer = (content: Buffer): Buffer =>
      makeZip(Array.from({ length: 16 }, (_, i) => ({ name: `${i}.zip`, content })));
    const bomb = layer(layer(makeZip([{ name: 'zeros', content: Buffer.alloc(4_000_000) }])));
    await at.proveRefused('42.zip', bomb, 'archive_bomb', { input, limits: { extractBytes: 400_000 } });
    expect((await at.extract({ '42.zip': bomb })).files).toBe(16);
  });

  test('are refused with the outer one', async () => {
    const bytes = outer({ y: CONTENT, 'in.zip': makeZip([{ name: '../evil' }]) });
    await at.proveRefused('a.tar', bytes, 'archive_unsafe', { input });
    await expect(at.extract({ 'a.tar': bytes }, { input })).rejects.toThrow(
      'The entry "../evil" of the archive "a.tar/in.zip" has a name',
    );
  });
});

test.each<[string, () => Buffer]>([
  // Their sizes are told, so nothing is written at all.
  ['zip', () => makeZip([good, { name: 'zeros', content: bombs }])],
  ['7z', () => sevenZipOf(bombs)],
  ['rar', () => makeRar5([good, zeros])],
  // These are known when the disk is full.
  ['tar.gz', () => gzipSync(makeTar([good, { name: 'zeros', content: bombs }]))],
  ['xz', () => filtered('xz', bombs)],
])(
  '%s on a disk with too little room: nothing is left of it, and with more room it comes',
  async (_kind, make) => {
    at.disk.resize(20);
    const limits = { extractRatio: 1_000_000 };
    const manifests = [await at.deliver({ 'a.zip': make() })];
    const run = () => at.run({ uuid: UUID, manifests }, { limits });
    await expect(run()).rejects.toEqual(expect.objectContaining({ type: 'disk_full', nonRetryable: false }));
    await at.proveEmptyStaging();
    expect(await readdir(at.inDataset('.'))).toEqual(['a.zip']);
    at.disk.resize(40);
    expect((await run()).bytes).toBeGreaterThanOrEqual(bombs.length);
  },
);

test('originals are removed when they are unpacked, and another attempt needs none', async () => {
  const files = {
    'a.zip': makeZip([good]),
    'b.zip': makeZip([good]),
    'd/c.gz': gzipSync(CONTENT),
    e: CONTENT,
  };
  const input = { archives: { drop: true } } as const;
  const manifests = [await at.deliver(files)];
  const output = await at.run({ uuid: UUID, manifests, ...input });
  await at.prove(output, { 'a/good': CONTENT, 'd/c': CONTENT });
  expect((await readdir(at.inDataset('.'))).sort()).toEqual(['a', 'd', 'e']);
  expect(await readdir(at.inDataset('d'))).toEqual(['c']);
  expect(await at.run({ uuid: UUID, manifests, ...input })).toEqual(output);
});
