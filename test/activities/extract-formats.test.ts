// Every kind of archive, as real programs write it: the same files come out; what only looks like one stays a file.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTar, makeZip } from '../support/archives.js';
import { digest, Extraction } from '../support/extraction.js';
import { makeRar4, makeRar5 } from '../support/rar.js';

let at: Extraction;
/** A directory with the files to pack, and what was packed. */
let packing: string;
beforeAll(() => {
  packing = mkdtempSync(join(tmpdir(), 'sluice-packing-'));
  for (const [path, content] of Object.entries(IN)) {
    mkdirSync(dirname(join(packing, 'in', path)), { recursive: true });
    writeFileSync(join(packing, 'in', path), content);
  }
});
afterAll(() => rmSync(packing, { recursive: true }));
beforeEach(async () => {
  at = await Extraction.create();
});
afterEach(() => at.close());

// Larger than what is unpacked in one piece, and quickly packed by any program.
const B = Buffer.concat([randomBytes(80_000), Buffer.alloc(4_300_000), randomBytes(1000)]);
const [A, C] = [randomBytes(100), Buffer.from('text '.repeat(10_000))];
const IN = { 'a.bin': A, 'd/b.bin': B, 'd/é 🧠.txt': C, 'd/empty': Buffer.alloc(0) };
const below = (stem: string) =>
  Object.fromEntries(Object.entries(IN).map(([path, bytes]) => [`${stem}/${path}`, bytes]));

/** Packs the files with a program of the distribution. */
function packed(name: string, program: string, ...args: readonly string[]): Buffer {
  const to = join(packing, name);
  rmSync(to, { force: true });
  execFileSync(program, [...args, to, ...readdirSync(join(packing, 'in'))], {
    cwd: join(packing, 'in'),
    stdio: 'pipe',
  });
  return readFileSync(to);
}

const filtered = (program: string, bytes: Buffer): Buffer =>
  execFileSync(program, ['-c'], { input: bytes, maxBuffer: 1e9, stdio: ['pipe', 'pipe', 'pipe'] });

test.each([
  ['tar', ['bsdtar', '--format=ustar', '-cf']],
  ['tar', ['bsdtar', '--format=pax', '-cf']],
  ['tar', ['bsdtar', '--format=gnutar', '-cf']],
  ['tar.gz', ['bsdtar', '-czf']],
  ['tar.bz2', ['bsdtar', '-cjf']],
  ['tar.xz', ['bsdtar', '-cJf']],
  ['tar.zst', ['bsdtar', '--zstd', '-cf']],
  ['zip', ['7zz', 'a', '-tzip']],
  ['zip', ['7zz', 'a', '-tzip', '-mm=BZip2']],
  ['zip', ['7zz', 'a', '-tzip', '-mm=LZMA']],
  ['zip', ['7zz', 'a', '-tzip', '-mm=xz']],
  ['zip', ['bsdtar', '--format=zip', '-cf']],
  ['7z', ['7zz', 'a']],
  ['7z', ['7zz', 'a', '-m0=LZMA', '-ms=off']],
  ['7z', ['7zz', 'a', '-m0=BCJ', '-m1=LZMA2']],
  ['7z', ['7zz', 'a', '-m0=Delta:2', '-m1=LZMA']],
  ['7z', ['7zz', 'a', '-m0=BZip2']],
  ['7z', ['7zz', 'a', '-m0=Deflate']],
  ['7z', ['7zz', 'a', '-m0=Copy', '-mhc=off']],
  ['7z', ['bsdtar', '--format=7zip', '-cf']],
])('%s by %s', async (ending, [program = '', ...args]) => {
  const bytes = packed(`packed.${ending}`, program, ...args);
  await at.prove(await at.extract({ [`d/data.${ending}`]: bytes }), below('d/data'));
  expect(at.reports.at(-1)).toMatchObject({ done: bytes.length, total: bytes.length, unit: 'bytes' });
});

const ENTRIES = Object.entries(IN).map(([name, content]) => ({ name, content }));

test.each([
  ['RAR 4', makeRar4(ENTRIES.filter(({ name }) => !name.includes('é')))],
  ['RAR 5', makeRar5(ENTRIES.filter(({ name }) => !name.includes('é')))],
])('%s', async (_what, bytes) => {
  const { 'data/d/é 🧠.txt': _odd, ...rest } = below('data');
  await at.prove(await at.extract({ 'data.rar': bytes }), rest);
});

test('RAR 5 with odd names', async () => {
  await at.prove(await at.extract({ 'data.rar': makeRar5(ENTRIES) }), below('data'));
});

test('RAR 5 that is packed', async () => {
  const bytes = makeRar5(ENTRIES.map((entry) => ({ ...entry, packed: true })));
  expect(bytes.length).toBeLessThan(300_000);
  await at.prove(await at.extract({ 'data.rar': bytes }), below('data'));
});

test('zip64', async () => {
  await at.prove(await at.extract({ 'data.zip': makeZip(ENTRIES, { zip64: true }) }), below('data'));
});

describe('a single compressed file', () => {
  const two = (bytes: Buffer, pack: (part: Buffer) => Buffer): Buffer =>
    Buffer.concat([pack(bytes.subarray(0, 1000)), pack(bytes.subarray(1000))]);

  test.each([
    ['gz', (bytes: Buffer) => gzipSync(bytes)],
    ['bz2', (bytes: Buffer) => filtered('bzip2', bytes)],
    ['xz', (bytes: Buffer) => filtered('xz', bytes)],
    ['zst', (bytes: Buffer) => filtered('zstd', bytes)],
  ])('%s becomes the file beside it, also in two parts', async (ending, pack) => {
    const files = { [`d/one.tif.${ending}`]: pack(B), [`d/two.tif.${ending}`]: two(B, pack) };
    const output = await at.extract(files);
    await at.prove(output, { 'd/one.tif': B, 'd/two.tif': B });
  });

  test('when its name is taken, or has no ending', async () => {
    const gz = gzipSync(A);
    const output = await at.extract({ 'a.tif.gz': gz, 'a.tif': C, 'b.tif': gzipSync(B) });
    await at.prove(output, { [`a-${digest(gz).slice(0, 8)}.tif`]: A, 'b-unpacked.tif': B });
    expect(readFileSync(at.inDataset('a.tif')).equals(C)).toBe(true);
  });

  test('of zeros, within the limits', async () => {
    const zeros = Buffer.alloc(900_000);
    await at.prove(await at.extract({ 'mask.tif.gz': gzipSync(zeros) }), { 'mask.tif': zeros });
  });
});

/** No compressed stream begins like this: flags and marks that nobody defined. */
const NONSENSE = Buffer.alloc(500, 0xff);

test('what only looks like an archive stays a file', async () => {
  const word = makeZip([{ name: '[Content_Types].xml', content: A }, { name: 'word/document.xml' }]);
  const blocked = Buffer.from('1f8b08040000000000ff0600424302001b0003000000000000000000', 'hex');
  const files = {
    'report.docx': word,
    'reads.bam': blocked,
    'raw.bin': Buffer.concat([Buffer.from('1f8b08', 'hex'), NONSENSE]),
    'raw.7z': Buffer.concat([Buffer.from('377abcaf271c', 'hex'), NONSENSE]),
    'raw.xz': Buffer.concat([Buffer.from('fd377a585a00', 'hex'), NONSENSE]),
    'raw.bz2': Buffer.concat([Buffer.from('BZh9'), NONSENSE]),
    'deflated.z': deflateRawSync(B),
    'data.tar': makeTar([{ name: 'f', content: A }]),
  };
  await at.prove(await at.extract(files), { 'data/f': A });
});
