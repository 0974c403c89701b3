// What an object of a store must be told to be: its size, its ETag, and the parts that it is sent in.
import { join } from 'node:path';
import { isErrno } from '../../../bytes/disk-fault.js';
import { type ExtraDigest, hashFile } from '../../../bytes/hash.js';
import { quoteName } from '../../../bytes/safe-names.js';
import type { FileEntry } from '../../../contracts/claim.js';
import { Fault } from '../../../domain/fault.js';

const MIB = 2 ** 20;
/** A smaller file goes in one piece. */
const LEAST_PART = 16 * MIB;
/** A store takes 10,000 parts. */
const MOST_PARTS = 9_000;

export interface LocalFile extends FileEntry {
  readonly key: string;
  /** Absolute. */
  readonly from: string;
  readonly partBytes: number;
  /** MD5 of the whole, or of the MD5s of the parts, with a hyphen and their number. */
  readonly etag: string;
}

/** Size of the parts of a file of so many bytes; one that fits into a part is sent whole. */
export const partBytesOf = (size: number): number =>
  Math.max(LEAST_PART, Math.ceil(size / MOST_PARTS / MIB) * MIB);

/**
 * Reads the file once, and holds it against the manifest.
 * @throws Fault `product_damaged`
 */
export async function localFile(
  directory: string,
  entry: FileEntry,
  key: string,
  signal: AbortSignal,
): Promise<LocalFile> {
  const { path, size, sha256 } = entry;
  const partBytes = partBytesOf(size);
  const digest: ExtraDigest = size <= partBytes ? 'md5' : `md5-parts-${partBytes}`;
  const from = join(directory, path);
  const found = await hashFile(from, { signal, also: [digest] }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EIO')) throw damaged(path, 'cannot be read');
    throw error;
  });
  if (found.sha256 !== sha256) throw damaged(path, 'is not what was published');
  return { ...entry, key, from, partBytes, etag: found.also[digest] ?? '' };
}

const damaged = (path: string, how: string): Fault =>
  new Fault('product_damaged', `The file ${quoteName(path)} of the product ${how}.`);

/** An ETag without its quotes. */
export const bareEtag = (etag: string | undefined): string =>
  (etag ?? '').replace(/^"|"$/g, '').toLowerCase();

/** Whether an ETag is a digest of the kind that we can compute; others only tell versions apart. */
export const isDigest = (etag: string): boolean => /^[0-9a-f]{32}(-\d+)?$/.test(etag);
