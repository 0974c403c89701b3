// One archive into a directory: looked at first, then written, counted and hashed.
import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { type HashOptions, hashFile } from '../../bytes/hash.js';
import { quoteName } from '../../bytes/safe-names.js';
import type { ArchiveKind, FileEntry } from '../../contracts/claim.js';
import { Fault } from '../../domain/fault.js';
import { type ArchiveFormat, checkEntry, type ExtractLimits, Meter, readingError } from './archive.js';
import { tar } from './tar.js';
import { zip } from './zip.js';

const FORMATS: Readonly<Record<ArchiveKind, ArchiveFormat>> = {
  zip,
  tar: tar({ gzip: false }),
  'tar.gz': tar({ gzip: true }),
};

/** Up to this size a hash costs the main loop less than handing it to a thread. */
const HASH_INLINE = 1024 * 1024;

export interface ArchiveAtHand {
  /** Path inside the dataset. */
  readonly path: string;
  readonly kind: ArchiveKind;
  /** Packed bytes. */
  readonly size: number;
  /** Absolute path on this machine. */
  readonly file: string;
}

/**
 * Looks at every entry; nothing is written.
 * @returns unpacked bytes as announced
 * @throws Fault `archive_unsafe`, `archive_bomb`, `archive_encrypted`, `archive_broken`
 */
export async function inspect(
  archive: ArchiveAtHand,
  limits: ExtractLimits,
  signal: AbortSignal,
  tick: () => void,
): Promise<number> {
  const meter = new Meter(limits, archive);
  const seen = new Set<string>();
  try {
    for await (const entry of FORMATS[archive.kind].list(archive.file, signal, tick)) {
      meter.entry();
      const path = checkEntry(archive.path, entry);
      if (path === undefined) continue;
      if (seen.has(path)) throw unsafe(archive, path, 'stands there twice');
      seen.add(path);
      meter.add(entry.size);
    }
  } catch (error) {
    throw readingError(archive.path, error);
  }
  return meter.bytes;
}

/**
 * Unpacks into `tree`, which must be empty. The limits hold for what really comes, whatever was announced.
 * @param advance told the bytes that were written
 * @returns the files, their paths relative to `tree`, sorted
 * @throws as inspect, and Fault `disk_full`
 */
export async function unpack(
  archive: ArchiveAtHand,
  tree: string,
  limits: ExtractLimits,
  signal: AbortSignal,
  advance: (bytes: number, path: string) => void,
): Promise<FileEntry[]> {
  const meter = new Meter(limits, archive);
  const files: FileEntry[] = [];
  await onDisk(() => mkdir(tree, { recursive: true }));
  try {
    await FORMATS[archive.kind].unpack(archive.file, signal, async (entry, chunks) => {
      meter.entry();
      const path = checkEntry(archive.path, entry);
      if (path === undefined) return;
      const written = counted(chunks, signal, (bytes) => {
        meter.add(bytes);
        advance(bytes, path);
      });
      const onProgress = (): void => advance(0, path);
      const made = { to: join(tree, path), path, announced: entry.size };
      files.push({ path, ...(await writeFile(archive, made, written, { signal, onProgress })) });
    });
  } catch (error) {
    throw readingError(archive.path, error);
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    count(chunk.length);
    yield chunk;
  }
}

async function writeFile(
  archive: ArchiveAtHand,
  { to, path, announced }: { to: string; path: string; announced: number },
  chunks: AsyncIterable<Buffer>,
  options: HashOptions,
): Promise<Pick<FileEntry, 'size' | 'sha256'>> {
  const inline = announced <= HASH_INLINE ? createHash('sha256') : undefined;
  const file = await create(archive, to, path);
  let size = 0;
  try {
    for await (const chunk of chunks) {
      await onDisk(() => file.writeFile(chunk));
      inline?.update(chunk);
      size += chunk.length;
    }
  } finally {
    await file.close();
  }
  if (size !== announced) throw new Error(`${quoteName(path)} has ${size} bytes instead of ${announced}`);
  return { size, sha256: inline?.digest('hex') ?? (await hashFile(to, options)).sha256 };
}

async function create(archive: ArchiveAtHand, to: string, path: string) {
  try {
    return await onDisk(async () => {
      await mkdir(dirname(to), { recursive: true });
      return await open(to, 'wx');
    });
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'ENOTDIR', 'EISDIR')) throw error;
    throw unsafe(archive, path, 'is a file and a directory at once');
  }
}

function unsafe({ path }: ArchiveAtHand, entry: string, why: string): Fault {
  return new Fault(
    'archive_unsafe',
    `The entry ${quoteName(entry)} of the archive ${quoteName(path)} ${why}.`,
  );
}
