// Opens a file that was listed, and proves that it is that very file: between list and copy anything may happen to a path.
import { constants, existsSync } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { isErrno } from '../../bytes/disk-fault.js';
import { quoteName } from '../../bytes/safe-names.js';
import { Fault } from '../../domain/fault.js';
import { type LocalFile, permitted } from './local-files.js';

/** The open file; `path` leads to it and to nothing else for as long as it is open. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
}

/**
 * Lets `work` read the file, and looks at the file again afterwards.
 * @throws Fault `path_is_link`, `path_denied`, `file_changed`
 */
export async function withLocalFile<T>(file: LocalFile, work: (source: OpenFile) => Promise<T>): Promise<T> {
  const handle = await openUnfollowed(file);
  try {
    const byHandle = `/proc/self/fd/${handle.fd}`;
    const hasProc = existsSync(byHandle);
    if (hasProc && (await readlink(byHandle)) !== file.from) {
      throw new Fault('path_is_link', `The path to ${quoteName(file.path)} became another one.`);
    }
    await expectSame(handle, file);
    const result = await work({ handle, path: hasProc ? byHandle : file.from });
    await expectSame(handle, file);
    return result;
  } finally {
    await handle.close();
  }
}

/** Does not wait for the writer of a pipe, should it be one by now. */
async function openUnfollowed(file: LocalFile): Promise<FileHandle> {
  try {
    const opening = open(file.from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return await permitted(file.path, opening);
  } catch (error) {
    if (isErrno(error, 'ELOOP')) throw new Fault('path_is_link', `${quoteName(file.path)} became a link.`);
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw changed(file);
    throw error;
  }
}

async function expectSame(handle: FileHandle, file: LocalFile): Promise<void> {
  const { size, mtimeMs, ino, dev } = await handle.stat();
  const same = size === file.size && mtimeMs === file.mtimeMs && ino === file.ino && dev === file.dev;
  if (!same) throw changed(file);
}

/** The file is not what was listed. */
export const changed = ({ path }: LocalFile): Fault =>
  new Fault('file_changed', `The file ${quoteName(path)} changed while it was read.`);
