// Archives that are unsafe, broken, encrypted or too much: refused by a code, and nothing is left of them.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTar, makeZip } from '../support/archives.js';
import { Extraction, type Limits } from '../support/extraction.js';

let at: Extraction;
beforeEach(async () => {
  at = await Extraction.create();
});
afterEach(() => at.close());

const [A, B] = [randomBytes(100), randomBytes(3_000_000)];
const IN = [
  { name: 'top/' },
  { name: 'top/a.bin', content: A },
  { name: './b.bin', content: B },
  { name: 'empty' },
];

describe('refuses', () => {
  const zeros = Buffer.alloc(40_000_000);
  const good = { name: 'good', content: B };
  const lyingGz = gzipSync(makeTar([good]));
  test.each<[string, string, Buffer, Limits?]>([
    ['zip with ..', 'archive_unsafe', makeZip([good, { name: '../evil' }])],
    ['zip with .. by backslash', 'archive_unsafe', makeZip([good, { name: '..\\evil' }])],
    ['zip with an absolute path', 'archive_unsafe', makeZip([good, { name: '/etc/evil' }])],
    ['zip with a drive', 'archive_unsafe', makeZip([good, { name: 'C:\\evil' }])],
    ['zip with a link', 'archive_unsafe', makeZip([good, { name: 'evil', mode: 0o120777, content: A }])],
    ['zip with a device', 'archive_unsafe', makeZip([good, { name: 'evil', mode: 0o020666 }])],
    ['zip with a name twice', 'archive_unsafe', makeZip([good, { name: 'evil' }, { name: './evil' }])],
    [
      'zip with a file that is a directory',
      'archive_unsafe',
      makeZip([good, { name: 'evil' }, { name: 'evil/x' }]),
    ],
    [
      'zip with a password',
      'archive_encrypted',
      makeZip([good, { name: 'evil', content: A, encrypted: true }]),
    ],
    ['zip of 1000:1', 'archive_bomb', makeZip([{ name: 'zeros', content: zeros }])],
    ['zip that hides 1000:1', 'archive_broken', makeZip([{ name: 'zeros', content: zeros, size: 1000 }])],
    ['zip of too many bytes', 'archive_bomb', makeZip([good]), { extractBytes: 2_000_000 }],
    ['zip of too many entries', 'archive_bomb', makeZip(IN), { extractEntries: 3 }],
    ['zip with a cut end', 'archive_broken', makeZip(IN).subarray(0, -60)],
    [
      'zip with its middle cut out',
      'archive_broken',
      Buffer.concat([makeZip(IN).subarray(0, 200_000), makeZip(IN).subarray(400_000)]),
    ],
    ['zip with a wrong checksum', 'archive_broken', makeZip([good, { name: 'evil', content: A, crc: 1 }])],
    ['tar with ..', 'archive_unsafe', makeTar([good, { name: 'a/../../evil' }])],
    ['tar with an absolute path', 'archive_unsafe', makeTar([good, { name: '/etc/evil' }])],
    [
      'tar with a symbolic link',
      'archive_unsafe',
      makeTar([good, { name: 'evil', type: '2', link: 'good' }]),
    ],
    ['tar with a hard link', 'archive_unsafe', makeTar([good, { name: 'evil', type: '1', link: 'good' }])],
    ['tar with a device', 'archive_unsafe', makeTar([good, { name: 'evil', type: '3' }])],
    ['tar with a name twice', 'archive_unsafe', makeTar([good, { name: 'evil' }, { name: 'evil' }])],
    ['tar of too many bytes', 'archive_bomb', makeTar([good]), { extractBytes: 2_000_000 }],
    ['tar with a cut end', 'archive_broken', makeTar([good]).subarray(0, 1_000_000)],
    ['tar cut between two entries', 'archive_broken', makeTar([good]).subarray(0, -1024)],
    [
      'tar with a damaged header',
      'archive_broken',
      makeTar([good, { name: 'evil', content: A }]).fill(77, 3_001_000, 3_001_200),
    ],
    ['tar.gz of 1000:1', 'archive_bomb', gzipSync(makeTar([{ name: 'zeros', content: zeros }]))],
    ['tar.gz with a cut end', 'archive_broken', lyingGz.subarray(0, 1_000_000)],
    ['tar.gz cut in its checksum', 'archive_broken', lyingGz.subarray(0, -4)],
    [
      'tar.gz with a link',
      'archive_unsafe',
      gzipSync(makeTar([good, { name: 'evil', type: '2', link: '/' }])),
    ],
    ['zip of too many directories', 'archive_bomb', makeZip([{ name: 'a/b/c/d' }]), { extractDepth: 2 }],
  ])('%s: %s', async (_what, code, bytes, limits = {}) => {
    await at.proveRefused('a.zip', bytes, code, { limits });
  });

  test('a name that goes on for ever', async () => {
    const bytes = makeZip([{ name: `a${'/'.repeat(60_000)}a` }]);
    await expect(at.extract({ 'a.zip': bytes })).rejects.toThrow('has a name that is not safe');
  });

  test('names the entry', async () => {
    const run = at.extract({ 'a.zip': makeZip([{ name: '../evil' }]) });
    await expect(run).rejects.toThrow(
      'The entry "../evil" of the archive "a.zip" has a name that is not safe',
    );
  });

  test('all archives are looked at before the first is unpacked', async () => {
    const files = { 'a.zip': makeZip([good]), 'b.zip': makeZip([{ name: '../evil' }]) };
    await expect(at.extract(files)).rejects.toMatchObject({ type: 'archive_unsafe' });
    expect((await readdir(at.inDataset('.'))).sort()).toEqual(['a.zip', 'b.zip']);
    await at.proveEmptyStaging();
  });
});
