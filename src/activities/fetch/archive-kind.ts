// Whether a file is an archive that we can unpack: by its first bytes, never by its name.
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, crc32, gunzip } from 'node:zlib';
import type { ArchiveKind } from '../../contracts/claim.js';

const gunzipped = promisify(gunzip);
const TAR_HEADER = 512;
const LOOK = 4096;

/**
 * The kind of archive, or undefined when the file is none. converters/sluice_unpack/kinds.py knows the same of files
 * inside an archive.
 */
export async function archiveKind(path: string): Promise<ArchiveKind | undefined> {
  const file = await open(path, 'r');
  try {
    return await archiveKindOf(await firstBytes(file, LOOK));
  } finally {
    await file.close();
  }
}

/** The same from the first bytes of a file (4 KiB of them are looked at), or from the whole of a shorter one. */
export async function archiveKindOf(bytes: Buffer): Promise<ArchiveKind | undefined> {
  const head = bytes.subarray(0, LOOK);
  const kind = kindByHead(head);
  if (kind !== 'gz') return kind;
  return (await opens(head)) ? 'gz' : undefined;
}

async function firstBytes(file: FileHandle, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

/** Bytes as latin1 text that a file of the kind begins with. */
const BEGINNINGS: readonly (readonly [string, ArchiveKind])[] = [
  ['PK\x03\x04', 'zip'],
  ['PK\x05\x06', 'zip'],
  // The first of several volumes.
  ['PK\x07\x08PK\x03\x04', 'zip'],
  ['7z\xbc\xaf\x27\x1c', '7z'],
  ['Rar!\x1a\x07\x00', 'rar'],
  ['Rar!\x1a\x07\x01\x00', 'rar'],
  ['\xfd7zXZ\x00', 'xz'],
  ['BZh', 'bz2'],
  ['\x28\xb5\x2f\xfd', 'zst'],
  ['\x1f\x8b\x08', 'gz'],
];
const BZIP2_BLOCKS = ['1AY&SY', '\x17rE8P\x90'];

function kindByHead(head: Buffer): ArchiveKind | undefined {
  const text = head.toString('latin1');
  const kind = BEGINNINGS.find(([beginning]) => text.startsWith(beginning))?.[1];
  switch (kind) {
    case 'zip':
      return text.length < 22 || isDocument(head) ? undefined : kind;
    case '7z':
      return sumAt(head, 8, head.subarray(12, 32)) ? kind : undefined;
    case 'xz':
      return sumAt(head, 8, head.subarray(6, 8)) ? kind : undefined;
    case 'bz2':
      return BZIP2_BLOCKS.includes(text.slice(4, 10)) ? kind : undefined;
    case 'zst':
      // The reserved bit of a frame is 0.
      return ((head[4] ?? 8) & 8) === 0 ? kind : undefined;
    case 'gz':
      return isBlockedGzip(head) ? undefined : kind;
    case undefined:
      return isTarHeader(head) ? 'tar' : undefined;
    case 'rar':
    case 'tar':
    case 'tar.gz':
      return kind;
  }
}

/** Documents, books and programs are zips too; their first entry tells, and they stay files. */
function isDocument(head: Buffer): boolean {
  // An archive that holds nothing ends before its first entry would.
  if (head.length < 30 || head[2] !== 3) return false;
  const name = head.toString('latin1', 30, 30 + head.readUInt16LE(26));
  return ['[Content_Types].xml', 'mimetype', 'META-INF/'].some((one) => name.startsWith(one));
}

/** BGZF (bam, bgzipped vcf): programs seek in it, so it stays as it is. */
function isBlockedGzip(head: Buffer): boolean {
  return head.length > 16 && ((head[3] ?? 0) & 4) !== 0 && head.toString('latin1', 12, 16) === 'BC\x02\x00';
}

/** Whether the checksum that stands at `at` is that of `bytes`. */
function sumAt(head: Buffer, at: number, bytes: Buffer): boolean {
  return head.length >= at + 4 && head.readUInt32LE(at) === crc32(bytes);
}

/** The header's own checksum holds; that is true of every kind of tar, and of nothing else in practice. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < TAR_HEADER || head[0] === 0) return false;
  const told = /^ *([0-7]+)[ \0]/.exec(head.toString('latin1', 148, 156))?.[1];
  if (told === undefined) return false;
  let sum = 0;
  for (const [at, byte] of head.subarray(0, TAR_HEADER).entries()) sum += at >= 148 && at < 156 ? 32 : byte;
  return sum === Number.parseInt(told, 8);
}

/** Header and end of a gzip file take as much; zlib takes less for a beginning without a fault. */
const LEAST_GZIP = 18;

/** Whether these first bytes can be unpacked at all: two bytes alone make no gzip. */
async function opens(bytes: Buffer): Promise<boolean> {
  if (bytes.length < LEAST_GZIP) return false;
  try {
    await gunzipped(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
    return true;
  } catch {
    return false;
  }
}
