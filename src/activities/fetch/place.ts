// Moving a whole file into its dataset without ever replacing another one; may be repeated after any interruption.
import { existsSync } from 'node:fs';
import { link, mkdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { hashFile } from '../../bytes/hash.js';
import { besidePath } from '../../bytes/safe-names.js';
import type { FileEntry } from '../../contracts/claim.js';

/**
 * Brings the staged file to its path in the dataset. Where another file has that path already, an equal one is
 * kept and this one dropped; a different one stays, and this one gets a name with `tag`.
 * @param tag made from the job, so that a repeated move finds what the first one did
 * @param alive called while an equal file is looked for, which may mean reading a large one
 * @returns the path it has inside the dataset
 */
export async function placeFile(
  staged: string,
  dataset: string,
  file: FileEntry,
  tag: string,
  alive: () => void,
): Promise<string> {
  for (const path of candidates(file.path, tag)) {
    const to = join(dataset, path);
    if (existsSync(staged) && (await moved(staged, to))) return path;
    if (!(await isEqual(to, file, alive))) continue;
    await unlink(staged).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
    return path;
  }
  throw new Error(`there is no free name for ${file.path}`);
}

/** Its own path, a name beside it, and one for the case that a file stands where its directory should be. */
function* candidates(path: string, tag: string): Generator<string> {
  yield path;
  yield besidePath(path, tag);
  const [first = '', ...rest] = path.split('/');
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
