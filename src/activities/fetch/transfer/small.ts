// A small file in one piece: read into memory, hashed there, written at once. A journal would cost more than its bytes.
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { onDisk } from '../../../bytes/disk-fault.js';
import type { ExtraDigest, FileHash } from '../../../bytes/hash.js';
import type { ArchiveKind } from '../../../contracts/claim.js';
import { archiveKindOf } from '../archive-kind.js';
import type { Announced, FetchContext, TransferSettings } from '../source.js';
import { extraDigests } from './follow.js';
import { request } from './open.js';
import { type Opened, type RangeOpener, TryAgain } from './port.js';
import { connectionError, Tries } from './tries.js';

/** Hashing so much takes about a millisecond; all streams together hold a few MiB of it. */
export const SMALL_BYTES = 256 * 1024;

export interface SmallJob<O extends Opened> {
  readonly opener: RangeOpener<O>;
  readonly settings: TransferSettings;
  /** Where the whole file goes; overwritten. */
  readonly path: string;
  readonly context: Pick<FetchContext, 'signal' | 'pace'>;
  announced(first: O): Promise<readonly Announced[]>;
}

export interface Brought {
  readonly announced: readonly Announced[];
  readonly hash: FileHash;
  readonly looked: { readonly archive: ArchiveKind | undefined };
}

/**
 * @returns undefined when the file is not small, or when its digests need more than this
 * @throws Fault, the signal's reason, system errors
 */
export async function bringSmall<O extends Opened>(job: SmallJob<O>): Promise<Brought | undefined> {
  const { opener, settings, context } = job;
  const tries = new Tries(settings, opener);
  for (;;) {
    try {
      const first = await request({ opener, settings, signal: context.signal }, undefined, undefined);
      const bytes = await readAll(first, settings.stallMs);
      if (bytes === undefined) return undefined;
      const announced = await job.announced(first);
      const hash = hashOf(bytes, extraDigests(announced));
      if (hash === undefined) return undefined;
      await context.pace(bytes.length);
      await onDisk(() => writeFile(job.path, bytes));
      return { announced, hash, looked: { archive: await archiveKindOf(bytes) } };
    } catch (error) {
      context.signal.throwIfAborted();
      await tries.next(error, context.signal);
    }
  }
}

/** The whole body; undefined when it is larger than small. @throws TryAgain when it is cut or stalls */
async function readAll({ body, range }: Opened, stallMs: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => body.destroy(new TryAgain('broken')), stallMs);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      timer.refresh();
      size += chunk.length;
      if (size > SMALL_BYTES) return undefined;
      chunks.push(chunk);
    }
  } catch (error) {
    throw connectionError(error);
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  if (Number.isFinite(range.end) && size < range.end) throw new TryAgain('short');
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/** Undefined for a digest that node:crypto does not know by its name. */
function hashOf(bytes: Buffer, also: readonly ExtraDigest[]): FileHash | undefined {
  if (also.some((name) => name.startsWith('md5-parts-'))) return undefined;
  const digest = (name: string): string => createHash(name).update(bytes).digest('hex');
  const others = Object.fromEntries(also.map((name) => [name, digest(name)]));
  return { sha256: digest('sha256'), size: bytes.length, also: others };
}
