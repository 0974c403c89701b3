// From a finished tree in staging to its place in the dataset, in one rename that may be repeated after any death.
import { existsSync } from 'node:fs';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { removeTree, sizeOf } from '../../bytes/files.js';
import { readJson, writeJson } from '../../bytes/json-file.js';
import type { FileEntry } from '../../contracts/claim.js';

export interface TreeWork {
  /** Directory of this archive alone; removed by the caller after the receipt. */
  readonly staging: string;
  readonly dataset: string;
  /** Path inside the dataset, and the beginning of its digest for the case that its name is taken. */
  readonly archive: { readonly path: string; readonly tag: string };
  unpack(tree: string): Promise<FileEntry[]>;
}

/**
 * Unpacks unless an earlier attempt has, and moves the tree to a free name.
 * @returns the files with their paths inside the dataset
 */
export async function settleTree(work: TreeWork): Promise<FileEntry[]> {
  const tree = join(work.staging, 'tree');
  const planFile = join(work.staging, 'plan.json');
  // The plan is written when the tree is whole; a tree without it is the rest of a killed attempt.
  const plan = (await readJson(planFile)) as { files: FileEntry[] } | undefined;
  const files = plan?.files ?? (await unpackAnew(work, tree));
  if (plan === undefined) await writeJson(planFile, { files });
  const place = await settled(work, tree, files);
  return files.map((file) => ({ ...file, path: `${place}/${file.path}` }));
}

async function unpackAnew(work: TreeWork, tree: string): Promise<FileEntry[]> {
  await removeTree(work.staging);
  try {
    return await work.unpack(tree);
  } catch (error) {
    await removeTree(work.staging);
    // The dataset's directory goes with its last archive.
    await rmdir(dirname(work.staging)).catch(() => undefined);
    throw error;
  }
}

async function settled(
  { dataset, archive }: TreeWork,
  tree: string,
  files: readonly FileEntry[],
): Promise<string> {
  for (const place of places(archive.path, archive.tag)) {
    const to = join(dataset, place);
    if (existsSync(tree)) {
      if (await moved(tree, to)) return place;
    } else if (await holds(to, files)) return place;
  }
  throw new Error(`there is no free name for what ${archive.path} holds`);
}

/** The archive's name without its ending; a name without one of its endings gets `-files`. */
function* places(path: string, tag: string): Generator<string> {
  const bare = path.replace(/\.(zip|tar|tar\.gz|tgz)$/i, '');
  const stem = bare === path || bare === '' || bare.endsWith('/') ? `${path}-files` : bare;
  yield stem;
  yield `${stem}-${tag}`;
  for (let count = 1; count < 100; count++) yield `${stem}-${tag}-${count}`;
}

/** False when the name is taken: rename does not replace a directory that holds something, nor a file. */
async function moved(tree: string, to: string): Promise<boolean> {
  try {
    await onDisk(() => mkdir(dirname(to), { recursive: true }));
    await rename(tree, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Whether an earlier attempt moved the tree here. */
async function holds(directory: string, files: readonly FileEntry[]): Promise<boolean> {
  for (const { path, size } of files) {
    if ((await sizeOf(join(directory, path))) !== size) return false;
  }
  return existsSync(directory);
}
