// What an object of a store must be told to be: its size, its ETag, and the parts that it is sent in.
import { join } from 'node:path';
import type { ExtraDigest } from '../../../bytes/hash.js';
import type { FileEntry } from '../../../contracts/claim.js';
import { readLocal } from './local.js';

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
  const { path, size } = entry;
  const partBytes = partBytesOf(size);
  const digest: ExtraDigest = size <= partBytes ? 'md5' : `md5-parts-${partBytes}`;
  const from = join(directory, path);
  const found = await readLocal(directory, entry, signal, [digest]);
  return { ...entry, key, from, partBytes, etag: found.also[digest] ?? '' };
}

/** An ETag without its quotes. */
export const bareEtag = (etag: string | undefined): string =>
  (etag ?? '').replace(/^"|"$/g, '').toLowerCase();

/** Whether an ETag is a digest of the kind that we can compute; others only tell versions apart. */
export const isDigest = (etag: string): boolean => /^[0-9a-f]{32}(-\d+)?$/.test(etag);
