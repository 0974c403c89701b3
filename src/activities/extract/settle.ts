// From a finished tree in staging to its place in the dataset, in one rename that may be repeated after any death.
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { removeTree, sizeOf } from '../../bytes/files.js';
import { readJson, writeJson } from '../../bytes/json-file.js';
import { longerPath } from '../../bytes/safe-names.js';
import type { FileEntry } from '../../contracts/claim.js';
import { dropAttempt, PLAN } from './attempt.js';

export interface TreeWork {
  /** Directory of this attempt alone; removed by the caller after the receipt. */
  readonly staging: string;
  readonly dataset: string;
  /** Path inside the dataset, and the beginning of its digest for the case that its name is taken. */
  readonly archive: { readonly path: string; readonly tag: string };
  unpack(tree: string): Promise<FileEntry[]>;
  /** Asked before the tree is moved: whether another attempt has finished, and nothing is to be moved. */
  superseded(): Promise<boolean>;
}

interface Plan {
  readonly files: readonly FileEntry[];
  /** Where the tree is about to go; it is there when it is in staging no more. */
  readonly place?: string;
}

/**
 * Unpacks unless an earlier attempt has, and moves the tree to a free name.
 * @returns the files with their paths inside the dataset; undefined when the work was superseded
 */
export async function settleTree(work: TreeWork): Promise<FileEntry[] | undefined> {
  const plan = (await readJson(join(work.staging, PLAN))) as Plan | undefined;
  const place = plan === undefined ? undefined : await placeBefore(work, plan);
  if (plan !== undefined && place !== undefined) return inPlace(plan.files, place);
  const tree = join(work.staging, 'tree');
  const files = plan !== undefined && (await holds(tree, plan.files)) ? plan.files : await unpackAnew(work);
  if (await work.superseded()) return undefined;
  return inPlace(files, await move(work, tree, files));
}

const inPlace = (files: readonly FileEntry[], place: string): FileEntry[] =>
  files.map((file) => ({ ...file, path: `${place}/${file.path}` }));

/** Where the attempt that wrote the plan has moved its tree. */
async function placeBefore(work: TreeWork, { place, files }: Plan): Promise<string | undefined> {
  if (place === undefined || existsSync(join(work.staging, 'tree'))) return undefined;
  return (await holds(join(work.dataset, place), files)) ? place : undefined;
}

async function unpackAnew(work: TreeWork): Promise<readonly FileEntry[]> {
  await removeTree(work.staging);
  const tree = join(work.staging, 'tree');
  try {
    const files = await work.unpack(tree);
    // An attempt that is believed dead may have lost files to the dataset's clean-up while it wrote others.
    if (!(await holds(tree, files)))
      throw new Error(`files of ${work.archive.path} were removed from staging`);
    await writeJson(join(work.staging, PLAN), { files } satisfies Plan);
    return files;
  } catch (error) {
    await dropAttempt(work.staging);
    throw error;
  }
}

/** The plan tells the place before the rename, so that a later attempt need not guess whose files lie there. */
async function move(work: TreeWork, tree: string, files: readonly FileEntry[]): Promise<string> {
  const { archive, dataset, staging } = work;
  for (const place of places(archive.path, archive.tag)) {
    const to = join(dataset, place);
    if (existsSync(to)) continue;
    await writeJson(join(staging, PLAN), { files, place } satisfies Plan);
    if (await moved(tree, to)) return place;
  }
  throw new Error(`there is no free name for what ${archive.path} holds`);
}

/** The archive's name without its ending; a name without one of its endings gets `-files`. */
function* places(path: string, tag: string): Generator<string> {
  const bare = path.replace(/\.(zip|tar|tar\.gz|tgz)$/i, '');
  const stem = bare === path || bare === '' || bare.endsWith('/') ? longerPath(path, '-files') : bare;
  yield stem;
  yield longerPath(stem, `-${tag}`);
  for (let count = 1; count < 100; count++) yield longerPath(stem, `-${tag}-${count}`);
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

/** Whether the directory has all these files, by their sizes. */
async function holds(directory: string, files: readonly FileEntry[]): Promise<boolean> {
  for (const { path, size } of files) {
    if ((await sizeOf(join(directory, path))) !== size) return false;
  }
  return existsSync(directory);
}
