// Whether a file is an archive that we can unpack: by its first bytes, never by its name.
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip } from 'node:zlib';
import type { ArchiveKind } from '../../contracts/claim.js';

const gunzipped = promisify(gunzip);
const TAR_HEADER = 512;
const GZ_LOOK = 64 * 1024;

/** The kind of archive, or undefined when the file is none. */
export async function archiveKind(path: string): Promise<ArchiveKind | undefined> {
  const file = await open(path, 'r');
  try {
    const head = await firstBytes(file, TAR_HEADER);
    if (isZip(head)) return 'zip';
    if (isTarHeader(head)) return 'tar';
    if (head[0] !== 0x1f || head[1] !== 0x8b) return undefined;
    return isTarHeader(await unzippedHead(await firstBytes(file, GZ_LOOK))) ? 'tar.gz' : undefined;
  } finally {
    await file.close();
  }
}

async function firstBytes(file: FileHandle, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

/** A first entry, or the end record of an archive without entries. */
function isZip(head: Buffer): boolean {
  return head.length >= 22 && ['PK\x03\x04', 'PK\x05\x06'].includes(head.toString('latin1', 0, 4));
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

/** The beginning of what a gzip file holds, as far as the given bytes reach. */
async function unzippedHead(bytes: Buffer): Promise<Buffer> {
  try {
    return await gunzipped(bytes, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: 256 * 1024 * 1024,
    });
  } catch {
    return Buffer.alloc(0);
  }
}
