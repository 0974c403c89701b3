// Names in archives: decoded without loss or refused; never one file for two names.
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTar, makeZip } from '../support/archives.js';
import { Extraction } from '../support/extraction.js';
import { makeRar4, makeRar5 } from '../support/rar.js';

let at: Extraction;
beforeEach(async () => {
  at = await Extraction.create();
});
afterEach(() => at.close());

const [A, B] = [randomBytes(1000), randomBytes(1000)];
const NO_FLAG = { content: A, flags: 0 };
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
/** Info-ZIP's field with the name in UTF-8, for the name it was made for. */
function unicodeField(raw: Buffer, name: string): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt16LE(0x7075, 0);
  head.writeUInt16LE(5 + Buffer.byteLength(name), 2);
  head.writeUInt8(1, 4);
  head.writeUInt32LE(crc32(raw), 5);
  return Buffer.concat([head, Buffer.from(name)]);
}
/** An entry of type `x` (pax) or `L` (GNU) in front of another one. */
const pax = (key: string, value: string) => {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 2;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return { name: 'PaxHeaders/x', type: 'x', content: Buffer.from(`${length}${rest}`) };
};
const long = (name: string) => ({ name: '././@LongLink', type: 'L', content: Buffer.from(`${name}\0`) });
const file = <T extends string | Buffer>(name: T, content = A) => ({ name, content });
const LONG = `${'d'.repeat(90)}/${'e'.repeat(90)}/f`;

test.each([
  ['zip, marked as UTF-8', makeZip([file('é/🧠.txt')]), ['é/🧠.txt']],
  ['zip, UTF-8 although not marked', makeZip([{ ...NO_FLAG, name: 'é/🧠.txt' }]), ['é/🧠.txt']],
  ['zip, code page 437', makeZip([{ ...NO_FLAG, name: Buffer.from([0x82, 0x81, 0x2e, 0x74]) }]), ['éü.t']],
  [
    'zip, with the name in an extra field',
    makeZip([{ ...NO_FLAG, name: latin1('?.t'), extra: unicodeField(latin1('?.t'), '日.t') }]),
    ['日.t'],
  ],
  [
    'zip, with an extra field for another name',
    makeZip([{ ...NO_FLAG, name: latin1('a.t'), extra: unicodeField(latin1('b.t'), 'b.t') }]),
    ['a.t'],
  ],
  ['zip, marked as UTF-8 and not', makeZip([file(latin1('caf\xe9.t'))]), ['caf%E9.t']],
  ['zip with backslashes', makeZip([file('d\\e\\f.t')]), ['d/e/f.t']],
  ['zip with what macOS adds', makeZip([file('a.t'), file('__MACOSX/._a.t')]), ['a.t']],
  ['tar in latin1', makeTar([file(latin1('caf\xe9.t'))]), ['caf%E9.t']],
  ['tar in Shift-JIS', makeTar([file(Buffer.from([0x93, 0xfa, 0x2e, 0x74]))]), ['%93%FA.t']],
  ['tar with a pax name', makeTar([pax('path', 'é/🧠.txt'), file('short')]), ['é/🧠.txt']],
  ['tar with a long name of GNU', makeTar([long(LONG), file('short')]), [LONG]],
  ['tar whose pax name is for one entry', makeTar([pax('path', 'x'), file('a'), file('b')]), ['b', 'x']],
  ['rar with an emoji', makeRar5([file('é/🧠.txt')]), ['é/🧠.txt']],
  ['names that differ in case', makeZip([file('A/b'), file('a/B'), file('a/b')]), ['A/b', 'a/B', 'a/b']],
  ['NFD becomes NFC', makeZip([file('e\u0301.t')]), ['é.t']],
  ['names of Windows devices and trailing dots', makeZip([file('con'), file('a.')]), ['a.', 'con']],
])('%s', async (_what, bytes, names) => {
  const expected = Object.fromEntries(names.map((name) => [`a-files/${name}`, A]));
  await at.prove(await at.extract({ a: bytes }), expected);
});

describe('refused', () => {
  const good = file('good', B);
  test.each([
    ['newline', 'a\nb'],
    ['NUL', 'a\0b'],
    ['escape', 'a\x1b[2Jb'],
    ['300 bytes', 'x'.repeat(300)],
    ['1,100 bytes in all', `${'y'.repeat(200)}/`.repeat(5) + 'z'.repeat(100)],
    ['only a space', ' '],
    ['an empty part', 'a//b'],
    ['a dot in the middle', 'a/./b'],
    ["one of Sluice's own", '.receipts/x'],
    ['up and down', 'a/../b'],
  ])('a name with %s', async (_what, name) => {
    await at.proveRefused('a.zip', makeZip([good, file(name)]), 'archive_unsafe');
  });

  test.each([
    ['zip: an empty name', makeZip([good, file('')])],
    ['zip: two names that are one in NFC', makeZip([file('\u00e9'), file('e\u0301')])],
    ['tar: an escape that is a name already', makeTar([file(latin1('\xe9')), file('%E9')])],
    ['tar: NUL in a pax name', makeTar([good, pax('path', 'a\0b'), file('x')])],
    ['tar: .. in a pax name', makeTar([good, pax('path', '../b'), file('x')])],
    ['tar: .. in a long name of GNU', makeTar([good, long('../b'), file('x')])],
    ['tar: an empty name', makeTar([good, { name: '' }])],
    ['rar: ..', makeRar5([good, file('../b')])],
    ['rar 4: a backslash', makeRar4([good, file('..\\b')])],
  ])('%s', async (_what, bytes) => {
    await at.proveRefused('a.zip', bytes, 'archive_unsafe');
  });

  test('a message shows no control characters', async () => {
    const run = at.extract({ 'a.zip': makeZip([file('a\x1b[2J\nb')]) });
    await expect(run).rejects.toThrow('The entry "a\uFFFD[2J\uFFFDb" of the archive "a.zip" has a name');
  });
});
