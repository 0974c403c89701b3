// Tar, plain or gzipped. It has no directory, so listing means reading it through once.
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import type { ArchiveFormat, RawEntry } from './archive.js';

const CHUNK = 256 * 1024;
const FILES = ['File', 'OldFile', 'ContiguousFile'];
const LINKS = ['Link', 'SymbolicLink'];

export function tar(options: { readonly gzip: boolean }): ArchiveFormat {
  return {
    async *list(file, signal, tick) {
      const found: RawEntry[] = [];
      const onEntry = async (entry: ReadEntry): Promise<void> => {
        found.push(describe(entry));
        entry.resume();
      };
      for await (const _step of parsed(openBytes(file, options.gzip, signal), onEntry)) {
        tick();
        yield* found.splice(0);
      }
      yield* found;
    },

    async unpack(file, signal, onFile) {
      const onEntry = async (entry: ReadEntry): Promise<void> => {
        const raw = describe(entry);
        if (raw.type === 'file') await onFile(raw, entry as AsyncIterable<Buffer>);
        else entry.resume();
      };
      for await (const _step of parsed(openBytes(file, options.gzip, signal), onEntry))
        signal.throwIfAborted();
    },
  };
}

/** Unzipping happens outside of the parser, whose own would block the main loop. */
function openBytes(file: string, gzip: boolean, signal: AbortSignal): Readable {
  const bytes = createReadStream(file, { highWaterMark: CHUNK, signal });
  if (!gzip) return bytes.on('error', () => undefined);
  const unzipped = createGunzip({ chunkSize: CHUNK }).on('error', () => undefined);
  bytes.on('error', (error) => unzipped.destroy(error));
  unzipped.on('close', () => bytes.destroy());
  return bytes.pipe(unzipped);
}

/**
 * Feeds the parser chunk by chunk; yields after each. An entry's handler runs while the next chunks are fed.
 * @throws what a handler throws; an error for a damaged archive, and for one without its end mark
 */
async function* parsed(bytes: Readable, onEntry: (entry: ReadEntry) => Promise<void>): AsyncGenerator<void> {
  const state: { failed: unknown[]; atEnd: boolean; wake: () => void } = {
    failed: [],
    atEnd: false,
    wake: () => undefined,
  };
  const fail = (error: unknown): void => {
    state.failed.push(error);
    state.wake();
  };
  const running = new Set<Promise<void>>();
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      const work = onEntry(entry).catch(fail);
      running.add(work);
      void work.then(() => running.delete(work));
    },
  });
  parser.on('error', fail);
  parser.on('drain', () => state.wake());
  parser.on('ignoredEntry', (entry: ReadEntry) =>
    fail(new Error(`an entry of the unknown type ${entry.type}`)),
  );
  parser.on('eof', () => {
    state.atEnd = true;
  });
  try {
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      // Behind the end mark only padding follows; it is read, because gzip's checksum stands behind it.
      if (!state.atEnd) await fed(parser, chunk, state);
      if (state.failed.length > 0) throw state.failed[0];
      yield;
    }
    parser.end();
    await Promise.all(running);
    if (state.failed.length > 0) throw state.failed[0];
    if (!state.atEnd) throw new Error('the end mark is missing');
  } finally {
    bytes.destroy();
  }
}

/** Waits until the parser takes more, or has failed. */
async function fed(
  parser: Parser,
  chunk: Buffer,
  state: { failed: unknown[]; wake: () => void },
): Promise<void> {
  const ready = new Promise<void>((resolve) => {
    state.wake = resolve;
  });
  if (!parser.write(chunk) && state.failed.length === 0) await ready;
}

function describe({ path, type, size }: ReadEntry): RawEntry {
  const kind = FILES.includes(type) ? 'file' : LINKS.includes(type) ? 'link' : undefined;
  return { name: path, type: kind ?? (type === 'Directory' ? 'directory' : 'device'), size };
}
