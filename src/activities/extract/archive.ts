// The port of an archive format, and what all of them must refuse.
import { errnoOf } from '../../bytes/disk-fault.js';
import { quoteName, safeRelativePath, trimSlashes } from '../../bytes/safe-names.js';
import { Fault, faultOf } from '../../domain/fault.js';

/** An entry as the archive tells it; nothing of it is trusted yet. */
export interface RawEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'link' | 'device';
  /** Announced bytes. */
  readonly size: number;
  readonly encrypted?: boolean;
}

/** Called for every file of the archive, in its order; must read the chunks to their end. */
export type OnFile = (entry: RawEntry, chunks: AsyncIterable<Buffer>) => Promise<void>;

export interface ArchiveFormat {
  /** All entries, without unpacking. `tick` tells that reading goes on. */
  list(file: string, signal: AbortSignal, tick: () => void): AsyncIterable<RawEntry>;
  /** Hands every file to `onFile`; proves the archive's own checksums. */
  unpack(file: string, signal: AbortSignal, onFile: OnFile): Promise<void>;
}

export interface ExtractLimits {
  /** Unpacked bytes of one pass. */
  readonly extractBytes: number;
  /** Unpacked to packed bytes of one archive. */
  readonly extractRatio: number;
  /** Entries of one archive. */
  readonly extractEntries: number;
}

/** So little is harmless whatever its ratio, and a mask of zeros is real data. */
const RATIO_COUNTS_ABOVE = 1024 * 1024;

/** A name in a tar may be a megabyte; beyond this none can be a path of a dataset, characters. */
const LONGEST_NAME = 4096;

/** Counts entries and bytes against the limits: first what is announced, then what really comes. */
export class Meter {
  entries = 0;
  bytes = 0;
  private readonly limits: ExtractLimits;
  private readonly archive: { readonly path: string; readonly size: number };

  constructor(limits: ExtractLimits, archive: { readonly path: string; readonly size: number }) {
    this.limits = limits;
    this.archive = archive;
  }

  /** @throws Fault `archive_bomb` */
  entry(): void {
    this.entries += 1;
    const { extractEntries } = this.limits;
    if (this.entries > extractEntries) throw this.bomb(`holds more than ${extractEntries} entries`);
  }

  /** @throws Fault `archive_bomb` */
  add(bytes: number): void {
    this.bytes += bytes;
    const { extractBytes, extractRatio } = this.limits;
    if (this.bytes > extractBytes) throw this.bomb(`expands beyond ${extractBytes} bytes`);
    if (this.bytes > RATIO_COUNTS_ABOVE && this.bytes > this.archive.size * extractRatio) {
      throw this.bomb(`expands more than ${extractRatio} times`);
    }
  }

  private bomb(what: string): Fault {
    return new Fault('archive_bomb', `The archive ${quoteName(this.archive.path)} ${what}.`);
  }
}

/**
 * The entry's path inside the dataset; undefined when there is nothing to write for it.
 * @throws Fault `archive_unsafe`, `archive_encrypted`
 */
export function checkEntry(archive: string, entry: RawEntry): string | undefined {
  const what = `The entry ${quoteName(entry.name)} of the archive ${quoteName(archive)}`;
  if (entry.type === 'link') throw new Fault('archive_unsafe', `${what} is a link.`);
  if (entry.type === 'device')
    throw new Fault('archive_unsafe', `${what} is neither a file nor a directory.`);
  if (entry.encrypted === true) throw new Fault('archive_encrypted', `${what} is protected by a password.`);
  if (entry.name.length > LONGEST_NAME)
    throw new Fault('archive_unsafe', `${what} has a name that is not safe: it is too long.`);
  // Many programs write `./a` for `a` and `d/` for a directory; both are harmless.
  const name = trimSlashes(entry.name.replace(/^(\.\/+)+/, ''));
  if (name === '' || name === '.') return undefined;
  try {
    const path = safeRelativePath(name);
    return entry.type === 'file' ? path : undefined;
  } catch (error) {
    throw new Fault('archive_unsafe', `${what} has a name that is not safe.`, { cause: error });
  }
}

/** What an error while reading an archive means: damage, unless it is a fault or an error of the system. */
export function readingError(archive: string, error: unknown): unknown {
  if (faultOf(error) !== undefined) return error;
  // Unpackers fail without a code, zlib with Z_…, tar with TAR_…; the system's own are like ENOSPC.
  if (/^E[A-Z0-9]+$/.test(errnoOf(error) ?? '')) return error;
  const why = error instanceof Error || hasMessage(error) ? error.message : String(error);
  return new Fault('archive_broken', `The archive ${quoteName(archive)} is damaged or cut off (${why}).`, {
    cause: error,
  });
}

function hasMessage(error: unknown): error is { message: string } {
  return typeof error === 'object' && error !== null && 'message' in error;
}
