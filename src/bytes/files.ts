// Moving, cloning and removing files without copying what need not be copied.

import { randomBytes } from 'node:crypto';
import {
  copyFile,
  constants as fsConstants,
  link,
  lstat,
  mkdir,
  open,
  rename,
  rm,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno, onDisk } from './disk-fault.js';

/** The codes by which a file system says that it cannot clone or link here. */
const CANNOT = ['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY', 'EPERM', 'EMLINK', 'EACCES'];

/** Renames on one device. @returns false when it is not there: somebody else was faster */
export async function moveIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Moves a file or a directory by rename; a file on another device is cloned or copied, and appears whole.
 * A file that is at `to` is replaced. Makes the directory of `to`.
 * @throws Fault `disk_full`
 */
export async function move(from: string, to: string): Promise<void> {
  await onDisk(async () => {
    await mkdir(dirname(to), { recursive: true });
    try {
      await rename(from, to);
    } catch (error) {
      if (!isErrno(error, 'EXDEV') || !(await lstat(from)).isFile()) throw error;
      await moveAcross(from, to);
    }
  });
}

/**
 * A second file with the same bytes: a reflink where the file system has them, else a hard link when asked for
 * (then both names share one file!), else a copy. `to` must not exist.
 * @throws Fault `disk_full`
 */
export async function cloneFile(
  from: string,
  to: string,
  options: { readonly hardLink?: boolean } = {},
): Promise<'reflink' | 'link' | 'copy'> {
  return await onDisk(async () => {
    await mkdir(dirname(to), { recursive: true });
    if (await reflink(from, to)) return 'reflink';
    if (options.hardLink === true && (await tried(() => link(from, to)))) return 'link';
    await copyFile(from, to, fsConstants.COPYFILE_EXCL);
    return 'copy';
  });
}

/** Clones by reflink alone; false where the file system has none, and then nothing is left behind. */
export async function reflink(from: string, to: string): Promise<boolean> {
  return await tried(() =>
    copyFile(from, to, fsConstants.COPYFILE_EXCL | fsConstants.COPYFILE_FICLONE_FORCE),
  );
}

/** Removes a file or a tree; nothing there is no error. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

/** Size of a file, bytes; undefined when there is nothing of that name. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Bytes that may still be written to the file system of this path. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function moveAcross(from: string, to: string): Promise<void> {
  const temporary = `${to}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await cloneFile(from, temporary);
    await sync(temporary);
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await unlink(from);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether it worked; false only for "this file system cannot". */
async function tried(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isErrno(error, ...CANNOT)) return false;
    throw error;
  }
}
