// Which digests of an object a store tells, and which of them can be held against the bytes.
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import type { Announced } from '../source.js';
import type { S3Store } from './store.js';

/** What an answer told about an object. */
export interface Told {
  readonly etag: string | undefined;
  readonly size: number;
  /** How the store encrypts it; with foreign keys an ETag is no digest. */
  readonly encryption: string | undefined;
}

/** Digests of the whole object in a HEAD; the strongest is enough, since each costs a pass over the bytes. */
export function fullDigests(head: HeadObjectCommandOutput): readonly Announced[] {
  if (head.ChecksumType === 'COMPOSITE') return [];
  const sha256 = hexOf(head.ChecksumSHA256, 32);
  return sha256 === undefined ? [] : [{ algorithm: 'sha256', hex: sha256 }];
}

/** What the ETag proves: the MD5 of an object that came in one piece, or that of its parts' MD5s. */
export async function etagDigests(
  store: S3Store,
  bucket: string,
  key: string,
  { etag = '', size, encryption = '' }: Told,
  signal: AbortSignal,
): Promise<readonly Announced[]> {
  // Directory buckets, and objects under keys of a key service, have an ETag of another kind.
  if (encryption.startsWith('aws:kms') || bucket.endsWith('--x-s3')) return [];
  const [, hex, parts] = /^"?([0-9a-f]{32})(?:-([1-9]\d{0,4}))?"?$/i.exec(etag) ?? [];
  if (hex === undefined) return [];
  if (parts === undefined) return [{ algorithm: 'md5', hex: hex.toLowerCase() }];
  const partBytes = await partSize(store, key, size, Number(parts), signal);
  if (partBytes === undefined) return [];
  return [{ algorithm: `md5-parts-${partBytes}`, hex: `${hex.toLowerCase()}-${parts}` }];
}

/** The size that all parts but the last one have, when the first and the last one fit it; undefined: not to be told. */
async function partSize(
  store: S3Store,
  key: string,
  size: number,
  parts: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (parts === 1) return size;
  const sizeOf = async (part: number): Promise<number | undefined> =>
    (await store.head(key, signal, part).catch(() => undefined))?.ContentLength;
  const first = await sizeOf(1);
  if (first === undefined || first < 1 || Math.ceil(size / first) !== parts) return undefined;
  return (await sizeOf(parts)) === size - (parts - 1) * first ? first : undefined;
}

function hexOf(base64: string | undefined, bytes: number): string | undefined {
  const found = Buffer.from(base64 ?? '', 'base64');
  // What stands behind a hyphen counts the parts of a digest of digests.
  return found.length === bytes && base64?.includes('-') !== true ? found.toString('hex') : undefined;
}
