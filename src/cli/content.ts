// The bytes of a file that is sent: exactly those that were announced, of a file that stays the same meanwhile.
import { open } from 'node:fs/promises';
import type { ResumableFile } from '../client/resumable.js';
import { CliError, EXIT } from './exit.js';
import type { NamedFile } from './source.js';

const PIECE = 1024 * 1024;

type Same = Pick<NamedFile, 'path' | 'size' | 'mtimeMs'>;

/** @throws CliError `file_changed` */
export async function* contentOf(file: Same, from = 0, to = file.size): AsyncGenerator<Uint8Array> {
  const handle = await open(file.path, 'r');
  try {
    for (let at = from; at < to; ) {
      const length = Math.min(PIECE, to - at);
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at);
      if (bytesRead === 0) throw changed(file.path);
      at += bytesRead;
      // The last piece only after the look at the file: without it the request stays incomplete.
      if (at === to) await requireSame(handle, file);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

export const asResumable = (file: Same): ResumableFile => ({
  size: file.size,
  read: (from, to) => contentOf(file, from, to),
});

async function requireSame(
  handle: Awaited<ReturnType<typeof open>>,
  { path, size, mtimeMs }: Same,
): Promise<void> {
  const now = await handle.stat();
  if (now.size !== size || now.mtimeMs !== mtimeMs) throw changed(path);
}

const changed = (path: string): CliError =>
  new CliError(
    EXIT.content,
    'file_changed',
    `${path} changed while it was sent; nothing was published.`,
    'Send it when it is complete.',
  );
