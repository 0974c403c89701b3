// Source `local`: a file or a directory on the server, cloned (reflink) or copied, never linked.
import { type FileHandle, mkdir, rename, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onDisk } from '../../../bytes/disk-fault.js';
import { cloneFile, freeBytes, reflink, removeTree } from '../../../bytes/files.js';
import type { Validator } from '../../../bytes/journal.js';
import { confirmedBytes, PartialFile, removePartial } from '../../../bytes/partial-file.js';
import { digestOf } from '../../../bytes/receipts.js';
import { Fault } from '../../../domain/fault.js';
import type { LocalSource } from '../../../domain/source.js';
import { findLocalFiles, type LocalFile } from '../local-files.js';
import { changed, type OpenFile, withLocalFile } from '../open-local.js';
import type { FetchContext, FetchedFile, SourceDeps, SourceFetcher } from '../source.js';

/** Larger files are copied with a journal, so that a killed copy goes on. */
const JOURNAL_ABOVE = 16 * 1024 * 1024;
const CHUNK = 4 * 1024 * 1024;
/** A slow disk may need longer than a heartbeat to sync 8 MiB; a dead one is found after this. */
const SYNC_BOUND_MS = 120_000;

/**
 * A hard link would be cheaper than a copy, but it shares its bytes with the user's file: what is written there
 * later would change a dataset that was proven.
 */
export function localSource({ localRoots }: SourceDeps): SourceFetcher<LocalSource> {
  return {
    kind: 'local',
    async fetch(context) {
      const { path, name } = context.source;
      const found = await findLocalFiles(path, localRoots, name);
      const total = found.reduce((sum, { size }) => sum + size, 0);
      await context.admit(total);
      const files: FetchedFile[] = [];
      let done = 0;
      for (const file of found) {
        const to = join(context.staging.files, file.path);
        const tell = (bytes: number): void => context.advance(done + bytes, total, file.path);
        if (
          context.signal.aborted ||
          !(await context.waiting(bring(context, file, to, tell), SYNC_BOUND_MS))
        ) {
          return { paused: true, confirmed: done + (await confirmedBytes(partialOf(context, file))) };
        }
        done += file.size;
        tell(0);
        files.push({ path: file.path, from: to });
      }
      return files;
    },
  };
}

type Tell = (bytes: number) => void;

/** Brings one file into staging, whole; false when the signal ended it. */
async function bring(context: FetchContext, file: LocalFile, to: string, tell: Tell): Promise<boolean> {
  if (await isThere(file, to)) return true;
  const partial = partialOf(context, file);
  const isWhole = await withLocalFile(file, async (source) => {
    if (file.size > JOURNAL_ABOVE) return await bringLarge(context, file, source, partial, tell);
    await removePartial(partial);
    await cloneFile(source.path, partial);
    return true;
  });
  if (!isWhole) return false;
  // The source's time goes along: it shows the next attempt that this file is done and still the same.
  await utimes(partial, file.mtimeMs / 1000, file.mtimeMs / 1000);
  await onDisk(() => mkdir(dirname(to), { recursive: true }));
  await rename(partial, to);
  await removePartial(partial);
  return true;
}

async function bringLarge(
  context: FetchContext,
  file: LocalFile,
  source: OpenFile,
  partial: string,
  tell: Tell,
): Promise<boolean> {
  if ((await confirmedBytes(partial)) === 0) {
    await removePartial(partial);
    await onDisk(() => mkdir(dirname(partial), { recursive: true }));
    if (await reflink(source.path, partial)) return true;
  }
  return await copyLarge(context, file, source, partial, tell);
}

async function copyLarge(
  context: FetchContext,
  file: LocalFile,
  source: OpenFile,
  partial: string,
  tell: Tell,
): Promise<boolean> {
  const validator: Validator = { etag: String(file.mtimeMs), size: file.size };
  const same = (a: Validator, b: Validator): boolean => a.etag === b.etag && a.size === b.size;
  const target = await PartialFile.open(partial, context.owner, validator, same);
  try {
    if ((await freeBytes(dirname(partial))) < file.size - target.confirmed) throw new Fault('disk_full');
    let copied = target.confirmed;
    for (const range of target.missing(file.size)) {
      for (let at = range.start; at < range.end; ) {
        if (context.signal.aborted) break;
        const chunk = await readChunk(source.handle, at, Math.min(CHUNK, range.end - at), file);
        await context.pace(chunk.length);
        await target.write(chunk, at);
        at += chunk.length;
        copied += chunk.length;
        tell(copied);
      }
    }
    await target.flush();
    return target.missing(file.size).length === 0;
  } finally {
    await target.close();
  }
}

async function readChunk(source: FileHandle, at: number, length: number, file: LocalFile): Promise<Buffer> {
  const { buffer, bytesRead } = await source.read(Buffer.allocUnsafe(length), 0, length, at);
  if (bytesRead === 0) throw changed(file);
  return buffer.subarray(0, bytesRead);
}

/** Whether an earlier attempt brought this very file. */
async function isThere(file: LocalFile, to: string): Promise<boolean> {
  const found = await stat(to).catch(() => undefined);
  if (found === undefined) return false;
  // Times are kept with less precision than they are read.
  if (found.size === file.size && Math.abs(found.mtimeMs - file.mtimeMs) < 2) return true;
  await removeTree(to);
  return false;
}

const partialOf = (context: FetchContext, file: LocalFile): string =>
  join(context.staging.partial, digestOf(file.path).slice(0, 32));
