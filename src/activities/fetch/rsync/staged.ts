// What rsync has brought into staging: whole files, what it keeps of others, and what it could not tidy up when killed.
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { onDisk } from '../../../bytes/disk-fault.js';
import { removeTree, sizeOf } from '../../../bytes/files.js';
import type { UploadStaging } from '../../../bytes/staging.js';
import type { FetchedFile } from '../source.js';
import { PARTIAL_DIR, type RemoteFile } from './list.js';

/** rsync's own directory below the staging area of an upload. */
export const rsyncPlace = (staging: UploadStaging): string => join(staging.partial, 'rsync');

/** Where an upload's files lie until all of them are whole. */
export interface Staged {
  readonly staging: UploadStaging;
  /** The directory that the names of a list start at. */
  readonly tree: string;
}

export interface Survey {
  /** Not whole yet. */
  readonly missing: readonly RemoteFile[];
  /** Bytes of whole files. */
  readonly whole: number;
  /** Bytes of the others that need not come again. */
  readonly kept: number;
}

/** Looks at the disk, and saves what a killed rsync left under a name of its own. */
export async function survey(staged: Staged, files: readonly RemoteFile[]): Promise<Survey> {
  const { tree } = staged;
  const missing: RemoteFile[] = [];
  let whole = 0;
  for (const file of files) {
    if (await isWhole(staged, file)) whole += file.size;
    else missing.push(file);
  }
  await rescue(tree, missing);
  let kept = 0;
  for (const file of missing) kept += Math.min((await sizeOf(partialOf(tree, file.name))) ?? 0, file.size);
  return { missing, whole, kept };
}

/** Moves the whole files to where the dataset takes them from; may be repeated. */
export async function takeOver(
  { staging, tree }: Staged,
  files: readonly RemoteFile[],
): Promise<readonly FetchedFile[]> {
  for (const file of files) {
    const from = join(tree, file.name);
    const to = join(staging.files, file.path);
    if ((await sizeOf(from)) === undefined) continue;
    await onDisk(() => mkdir(dirname(to), { recursive: true }));
    await rename(from, to);
  }
  return files.map(({ path }) => ({ path, from: join(staging.files, path) }));
}

/** rsync gives a file its time when it is whole. */
async function isWhole({ staging, tree }: Staged, { name, path, size, mtime }: RemoteFile): Promise<boolean> {
  for (const place of [join(tree, name), join(staging.files, path)]) {
    const found = await stat(place).catch(() => undefined);
    if (found?.isFile() === true && found.size === size && Math.floor(found.mtimeMs / 1000) === mtime)
      return true;
  }
  return false;
}

/**
 * A killed rsync leaves `.<name>.<six characters>` where it worked; as a partial file it is a base for the next run,
 * which compares blocks by their digests.
 */
async function rescue(tree: string, missing: readonly RemoteFile[]): Promise<void> {
  const byDirectory = new Map<string, RemoteFile[]>();
  for (const file of missing) {
    const directory = dirname(file.name);
    const known = byDirectory.get(directory);
    if (known === undefined) byDirectory.set(directory, [file]);
    else known.push(file);
  }
  for (const [directory, files] of byDirectory) {
    const left = (await namesIn(join(tree, directory))).filter((name) => TEMPORARY.test(name));
    if (left.length === 0) continue;
    const names = new Map(files.map(({ name }) => [`.${basename(name).replace(/^\./, '')}`, name]));
    for (const one of left)
      await keep(join(tree, directory, one), tree, names.get(one.replace(TEMPORARY, '')));
  }
}

const TEMPORARY = /\.[A-Za-z0-9]{6}$/;

/** The longer one of two is kept; `name` undefined: it is no file of ours that is missing. */
async function keep(left: string, tree: string, name: string | undefined): Promise<void> {
  if (name === undefined) return;
  const partial = partialOf(tree, name);
  if (((await sizeOf(left)) ?? 0) <= ((await sizeOf(partial)) ?? 0)) {
    await removeTree(left);
    return;
  }
  await onDisk(() => mkdir(dirname(partial), { recursive: true, mode: 0o700 }));
  await rename(left, partial);
}

const partialOf = (tree: string, name: string): string =>
  join(tree, dirname(name), PARTIAL_DIR, basename(name));

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}
