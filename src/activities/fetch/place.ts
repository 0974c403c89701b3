// Moving a whole file into its dataset without ever replacing another one; may be repeated after any interruption.
import { existsSync } from 'node:fs';
import { link, mkdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { hashFile } from '../../bytes/hash.js';
import { besidePath } from '../../bytes/safe-names.js';
import type { FileEntry } from '../../contracts/claim.js';

/** A file on its last way. */
export interface Placing {
  /** Absolute path in staging; the file may have been moved by an earlier attempt. */
  readonly staged: string;
  /** Absolute path of the dataset's directory. */
  readonly dataset: string;
  readonly file: FileEntry;
  /** Made from the job, so that a repeated move finds what the first one did; a few characters safe in names. */
  readonly tag: string;
  /** Where it goes when its path is taken; see UploadOrder. */
  readonly folder?: string | undefined;
  /** The folder that the file at a path of the dataset was sent with. */
  readonly folderOf: (path: string) => Promise<string | undefined>;
  /** Called while an equal file is looked for, which may mean reading a large one. */
  readonly alive: () => void;
}

/**
 * Brings the staged file to its path in the dataset. Where another file has that path already, an equal one is
 * kept and this one dropped, unless they were sent from different folders; a different one stays, and this one goes
 * into its folder, or gets a name with `tag`.
 * @returns the path it has inside the dataset
 */
export async function placeFile(placing: Placing): Promise<string> {
  const { staged, dataset, file, tag, folder, alive } = placing;
  for (const path of candidates(file.path, tag, folder, existsSync(staged))) {
    const to = join(dataset, path);
    if (existsSync(staged) && (await moved(staged, to))) return path;
    if (!(await isEqual(to, file, alive)) || (await isOfAnother(placing, path))) continue;
    await unlink(staged).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
    return path;
  }
  throw new Error(`there is no free name for ${file.path}`);
}

/** Whether the equal file at the path came from another folder: then these are two files. */
async function isOfAnother(placing: Placing, path: string): Promise<boolean> {
  const { staged, dataset, folder, file, folderOf } = placing;
  if (folder === undefined || path !== file.path) return false;
  const mine = await stat(staged).catch(() => undefined);
  // An earlier attempt may have died between link and unlink: then it is this very file.
  if (mine === undefined || mine.ino === (await stat(join(dataset, path))).ino) return false;
  return (await folderOf(path)) !== folder;
}

/**
 * Its own path, the one in its folder, a name beside it, and one for the case that a file stands where its directory
 * should be. A file that an earlier attempt moved is looked for in its folder first: at its own path may lie an equal
 * one of another folder.
 */
function* candidates(
  path: string,
  tag: string,
  folder: string | undefined,
  isStaged: boolean,
): Generator<string> {
  const inFolder = folder === undefined ? [] : [`${folder}/${path}`];
  yield* isStaged ? [path, ...inFolder] : [...inFolder, path];
  const [last = path] = inFolder;
  yield besidePath(last, tag);
  const [first = '', ...rest] = last.split('/');
  for (let count = 1; count < 100; count++) {
    yield [besidePath(first, `${tag}-${count}`), ...rest].join('/');
  }
}

/** Moves unless something is there. Link and unlink, because rename would replace it without a word. */
async function moved(staged: string, to: string): Promise<boolean> {
  try {
    await onDisk(() => mkdir(dirname(to), { recursive: true }));
    await link(staged, to);
    await unlink(staged);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST', 'ENOTDIR', 'EISDIR')) return false;
    if (!isErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
    // No hard links on this file system: a gap between look and rename remains.
    if (existsSync(to)) return false;
    await rename(staged, to);
    return true;
  }
}

async function isEqual(path: string, file: FileEntry, onProgress: () => void): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== file.size) return false;
  return (await hashFile(path, { onProgress })).sha256 === file.sha256;
}
