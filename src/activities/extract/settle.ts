// From a finished tree in staging to its place in the dataset, in one rename that may be repeated after any death.
import { existsSync } from 'node:fs';
import { link, mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { removeTree, sizeOf } from '../../bytes/files.js';
import { readJson, writeJson } from '../../bytes/json-file.js';
import { besidePath, longerPath } from '../../bytes/safe-names.js';
import type { FileEntry } from '../../contracts/claim.js';
import { dropAttempt, PLAN } from './attempt.js';
import type { Unpacked } from './unpack.js';

export interface TreeWork {
  /** Directory of this attempt alone; removed by the caller after the receipt. */
  readonly staging: string;
  readonly dataset: string;
  /** Path inside the dataset, and the beginning of its digest for the case that its name is taken. */
  readonly archive: { readonly path: string; readonly tag: string };
  unpack(tree: string): Promise<Unpacked>;
  /** Asked before the tree is moved: whether another attempt has finished, and nothing is to be moved. */
  superseded(): Promise<boolean>;
}

interface Plan extends Unpacked {
  /** Where the tree (a single file: that file) is about to go; it is there when it is in staging no more. */
  readonly place?: string;
}

/** What the name of an archive ends with; converters/sluice_unpack/kinds.py knows the same. */
const ENDING = /\.(zip|tar|tar\.(gz|bz2|xz|zst|zstd)|tgz|tbz2?|txz|tzst|7z|rar|gz|bz2|xz|zst|zstd)$/i;

/**
 * Unpacks unless an earlier attempt has, and moves the tree to a free name.
 * @returns the files with their paths inside the dataset; undefined when the work was superseded
 */
export async function settleTree(work: TreeWork): Promise<FileEntry[] | undefined> {
  const plan = (await readJson(join(work.staging, PLAN))) as Plan | undefined;
  const place = plan === undefined ? undefined : await placeBefore(work, plan);
  if (plan !== undefined && place !== undefined) return inPlace(plan, place);
  const tree = join(work.staging, 'tree');
  const held = plan !== undefined && (await holds(tree, plan.files)) ? plan : await unpackAnew(work);
  if (await work.superseded()) return undefined;
  return inPlace(held, await move(work, tree, held));
}

const inPlace = ({ files, single }: Unpacked, place: string): FileEntry[] =>
  files.map((file) => ({ ...file, path: single ? place : `${place}/${file.path}` }));

/** Where the attempt that wrote the plan has moved its tree. */
async function placeBefore(work: TreeWork, plan: Plan): Promise<string | undefined> {
  const { place, files, single } = plan;
  if (place === undefined) return undefined;
  const to = join(work.dataset, place);
  if (single) return (await isLinked(join(work.staging, 'tree'), plan, to)) ? place : undefined;
  if (existsSync(join(work.staging, 'tree'))) return undefined;
  return (await holds(to, files)) ? place : undefined;
}

async function unpackAnew(work: TreeWork): Promise<Unpacked> {
  await removeTree(work.staging);
  const tree = join(work.staging, 'tree');
  try {
    const held = await work.unpack(tree);
    // An attempt that is believed dead may have lost files to the dataset's clean-up while it wrote others.
    if (!(await holds(tree, held.files)))
      throw new Error(`files of ${work.archive.path} were removed from staging`);
    await writeJson(join(work.staging, PLAN), held satisfies Plan);
    return held;
  } catch (error) {
    await dropAttempt(work.staging);
    throw error;
  }
}

/** The plan tells the place before the rename, so that a later attempt need not guess whose files lie there. */
async function move(work: TreeWork, tree: string, held: Unpacked): Promise<string> {
  const { archive, dataset, staging } = work;
  for (const place of held.single ? filePlaces(archive) : places(archive)) {
    const to = join(dataset, place);
    if (existsSync(to)) continue;
    await writeJson(join(staging, PLAN), { ...held, place } satisfies Plan);
    if (await (held.single ? linked(fileOf(tree, held), to) : moved(tree, to))) return place;
  }
  throw new Error(`there is no free name for what ${archive.path} holds`);
}

/** The archive's name without its ending; a name without one of its endings gets `-files`. */
function* places({ path, tag }: TreeWork['archive']): Generator<string> {
  const stem = stemOf(path) ?? longerPath(path, '-files');
  yield stem;
  yield longerPath(stem, `-${tag}`);
  for (let count = 1; count < 100; count++) yield longerPath(stem, `-${tag}-${count}`);
}

/** Beside the archive: `scan.tif.gz` becomes `scan.tif`. */
function* filePlaces({ path, tag }: TreeWork['archive']): Generator<string> {
  const stem = stemOf(path) ?? besidePath(path, 'unpacked');
  yield stem;
  yield besidePath(stem, tag);
  for (let count = 1; count < 100; count++) yield besidePath(stem, `${tag}-${count}`);
}

function stemOf(path: string): string | undefined {
  const bare = path.replace(ENDING, '');
  return bare === path || bare === '' || bare.endsWith('/') ? undefined : bare;
}

const fileOf = (tree: string, { files }: Unpacked): string => join(tree, files[0]?.path ?? '');

/** False when the name is taken. A second name for the file, because a rename would replace what is there. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await onDisk(() => link(from, to));
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    if (!isErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK') || existsSync(to)) throw error;
    await rename(from, to);
    return true;
  }
}

/** Whether both names are there for one file, or the first one has become the second. */
async function isLinked(tree: string, plan: Plan, to: string): Promise<boolean> {
  const paths = [fileOf(tree, plan), to];
  const [before, after] = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return after?.size === plan.files[0]?.size && (before === undefined || before.ino === after?.ino);
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
