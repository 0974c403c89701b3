// Zip and zip64, read through their central directory.
import { crc32 } from 'node:zlib';
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import { Fault } from '../../domain/fault.js';
import type { ArchiveFormat, OnFile, RawEntry } from './archive.js';

const TYPE_MASK = 0o170000;
// A map, not an object: the formatter turns octal keys of an object into wrong decimal ones.
const TYPES: ReadonlyMap<number, RawEntry['type']> = new Map([
  [0, 'file'],
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'link'],
]);
/** Systems that put a Unix mode into the external attributes: Unix, macOS. */
const UNIX_HOSTS = [3, 19];
/** Stored, deflated. */
const METHODS = [0, 8];

export const zip: ArchiveFormat = {
  async *list(file, signal, tick) {
    for await (const { raw } of entries(file, signal)) {
      tick();
      yield raw;
    }
  },

  async unpack(file, signal, onFile) {
    for await (const { raw, entry, archive } of entries(file, signal)) {
      if (raw.type === 'file') await unpackOne(archive, entry, raw, onFile);
    }
  },
};

interface Found {
  readonly archive: ZipFile;
  readonly entry: Entry;
  readonly raw: RawEntry;
}

async function* entries(file: string, signal: AbortSignal): AsyncGenerator<Found> {
  // Names are decoded and judged here, so that an unsafe one is told apart from a damaged archive.
  const archive = await openPromise(file, { autoClose: false, decodeStrings: false });
  try {
    for await (const entry of archive.eachEntry()) {
      signal.throwIfAborted();
      const raw = describe(entry);
      // Resource forks that macOS adds; no other system shows them, and they would pass for data files.
      if (!raw.name.startsWith('__MACOSX/')) yield { archive, entry, raw };
    }
  } finally {
    archive.close();
  }
}

function describe(entry: Entry): RawEntry {
  const { generalPurposeBitFlag, fileNameRaw, extraFields, externalFileAttributes } = entry;
  // A backslash is a separator to the Windows programs that write one, so it is read as such before the check.
  const name = getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, true).replaceAll(
    '\\',
    '/',
  );
  const unix = UNIX_HOSTS.includes(entry.versionMadeBy >>> 8);
  const mode = unix ? (externalFileAttributes >>> 16) & TYPE_MASK : 0;
  const type = TYPES.get(mode) ?? 'device';
  return {
    name,
    type: type === 'file' && name.endsWith('/') ? 'directory' : type,
    size: entry.uncompressedSize,
    encrypted: entry.isEncrypted(),
  };
}

async function unpackOne(archive: ZipFile, entry: Entry, raw: RawEntry, onFile: OnFile): Promise<void> {
  if (!METHODS.includes(entry.compressionMethod)) {
    throw new Fault(
      'archive_broken',
      `The archive uses compression method ${entry.compressionMethod}, which is not supported.`,
    );
  }
  const stream = await archive.openReadStreamPromise(entry);
  // It may fail before somebody reads it; the reader hears of it then.
  stream.on('error', () => undefined);
  try {
    await onFile(raw, checked(stream, entry.crc32));
  } finally {
    stream.destroy();
  }
}

async function* checked(stream: AsyncIterable<Buffer>, expected: number): AsyncGenerator<Buffer> {
  let sum = 0;
  for await (const chunk of stream) {
    sum = crc32(chunk, sum);
    yield chunk;
  }
  if (sum !== expected) throw new Error('wrong checksum of an entry');
}
