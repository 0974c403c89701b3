// SHA-256 of files, and further digests beside it, in at most two threads, so that the main loop stays free for
// heartbeats.
import { stat } from 'node:fs/promises';
import { DigestFollower } from './hash-follow.js';
import { PartsFollower } from './hash-parts.js';

/** Digests that servers announce and that can be made beside SHA-256. */
export type ExtraDigest = WholeDigest | PartsDigest;
type WholeDigest = 'md5' | 'sha1' | 'sha512';
/** The MD5 of the MD5s of parts of so many bytes, a hyphen, and their number: how stores digest what came in parts. */
export type PartsDigest = `md5-parts-${number}`;

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Bytes read so far; called at most every 64 MiB and at the end. 0: the file still waits for its turn, and one of
   * those at work has advanced.
   */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Digests wanted beside SHA-256. */
  readonly also?: readonly ExtraDigest[];
}

export interface FileHash {
  /** Hex. */
  readonly sha256: string;
  /** Bytes read. */
  readonly size: number;
  /** The digests asked for with `also`, in hex. */
  readonly also: Readonly<Partial<Record<ExtraDigest, string>>>;
}

/** Makes the digests of a file behind its writer. */
export interface FileFollower {
  /** The bytes up to here, from the first one on, lie in the file and stay as they are. */
  advance(upTo: number): void;
  /**
   * The digests of the whole.
   * @param size bytes
   * @throws the system's error when it cannot be read
   */
  finish(size: number): Promise<FileHash>;
  /** Nobody wants it any more. Safe at any time, also after the end. */
  drop(): void;
}

/** Digests that a client may announce for a stretch of its bytes. */
export type StretchDigest = 'sha256' | 'sha1' | 'md5';

const MIB = 1024 * 1024;
/** A smaller file is read once for all its digests; of a larger one the threads share them. */
const SHARED_ABOVE = 8 * MIB;

/**
 * Hashes a file through the page cache.
 * @throws the system's error when it cannot be read; the signal's reason when it is aborted
 */
export async function hashFile(path: string, options: HashOptions = {}): Promise<FileHash> {
  const { signal, also = [], onProgress = () => undefined } = options;
  signal?.throwIfAborted();
  const { size } = await stat(path);
  signal?.throwIfAborted();
  const follower = followAll(path, also, onProgress, size > SHARED_ABOVE);
  const onAbort = (): void => follower.drop();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await follower.finish(size);
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * Hashes a file while it grows. What could not be followed to its end (a thread died) is read anew there.
 * @param also digests wanted beside SHA-256 @param onProgress called after each slice with the bytes read so far
 */
export function followHash(
  path: string,
  also: readonly ExtraDigest[],
  onProgress: (bytes: number) => void = () => undefined,
): FileFollower {
  const follower = followAll(path, also, onProgress, true);
  let isDropped = false;
  return {
    advance: (upTo) => follower.advance(upTo),
    finish: (size) =>
      follower.finish(size).catch(async (error: unknown) => {
        if (isDropped) throw error;
        return await hashFile(path, { also, onProgress });
      }),
    drop: () => {
      isDropped = true;
      follower.drop();
    },
  };
}

/** MD5 takes more than twice the time of SHA-256, so each is made by itself where the threads share the work. */
function followAll(
  path: string,
  also: readonly ExtraDigest[],
  onProgress: (bytes: number) => void,
  isShared: boolean,
): FileFollower {
  const parts = also.filter((name): name is PartsDigest => name.startsWith('md5-parts-'));
  const whole = also.filter((name) => !name.startsWith('md5-parts-'));
  const least = 8 * MIB;
  const main = new DigestFollower(path, ['sha256', ...(isShared ? [] : whole)], { least, onProgress });
  const others = isShared
    ? whole.map((name) => [name, new DigestFollower(path, [name], { least })] as const)
    : [];
  const ofParts = parts.map((name) => [name, new PartsFollower(path, partBytes(name))] as const);
  const all = [main, ...[...others, ...ofParts].map(([, one]) => one)];
  return {
    advance: (upTo) => all.forEach((one) => void one.advance(upTo)),
    async finish(size) {
      const [[sha256 = '', ...beside], ...rest] = await Promise.all([
        main.finish(size),
        ...others.map(async ([name, one]) => [name, (await one.finish(size))[0] ?? ''] as const),
        ...ofParts.map(async ([name, one]) => [name, await one.finish(size)] as const),
      ]);
      const found = [...whole.slice(0, beside.length).map((name, i) => [name, beside[i]] as const), ...rest];
      return { sha256, size, also: Object.fromEntries(found) };
    },
    drop: () => all.forEach((one) => void one.drop()),
  };
}

const partBytes = (name: PartsDigest): number => Number(name.slice('md5-parts-'.length));
