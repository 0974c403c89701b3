// Which files a server-side path stands for: below the roots, without a single link on the way.
import type { Stats } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { isErrno } from '../../bytes/disk-fault.js';
import { quoteName, safeRelativePath } from '../../bytes/safe-names.js';
import { Fault } from '../../domain/fault.js';

export interface LocalFile {
  /** Path inside the dataset. */
  readonly path: string;
  /** Absolute path on this machine. */
  readonly from: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** With the device it names the file itself, whatever its path leads to later. */
  readonly ino: number;
  readonly dev: number;
}

/**
 * The files, sorted by path. A file is named by its last part, the files of a directory by their way below it.
 * @param name of a single file in the dataset, where it is not the last part of its path
 * @throws Fault `outside_roots`, `path_not_found`, `path_denied`, `path_is_link`, `no_files`, `unsafe_name`
 */
export async function findLocalFiles(
  path: string,
  roots: readonly string[],
  name?: string,
): Promise<LocalFile[]> {
  const top = await checkedPath(path, roots);
  const found = await permitted(path, lstat(top));
  const files = found.isDirectory() ? await walk(top, '') : [asFile(name ?? basename(top), top, found)];
  if (files.length === 0) throw new Fault('no_files', `There is no file in ${quoteName(path)}.`);
  refuseTwins(files);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The path, proven to lie below a root. Outside of them nothing is looked at, so nothing is given away. */
async function checkedPath(path: string, roots: readonly string[]): Promise<string> {
  if (path.includes('\0') || !path.startsWith('/')) {
    throw new Fault('outside_roots', `The path ${quoteName(path)} is not absolute.`);
  }
  const wanted = resolve(path);
  for (const root of await withRealNames(roots)) {
    if (wanted !== root && !wanted.startsWith(root.endsWith(sep) ? root : root + sep)) continue;
    await permitted(path, refuseLinks(root, relative(root, wanted), path));
    return join(await permitted(path, realpath(root)), relative(root, wanted));
  }
  throw new Fault(
    'outside_roots',
    `The path ${quoteName(path)} is not below a directory that this server may read.`,
  );
}

/** A root may itself be reached through a link: both its names count. */
async function withRealNames(roots: readonly string[]): Promise<string[]> {
  const real = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));
  return [...new Set([...roots.map((root) => resolve(root)), ...real])];
}

async function refuseLinks(root: string, way: string, path: string): Promise<void> {
  let at = root;
  for (const part of way === '' ? [] : way.split(sep)) {
    at = join(at, part);
    const found = await lstat(at).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) {
        throw new Fault('path_not_found', `The path ${quoteName(path)} does not exist on the server.`);
      }
      throw error;
    });
    if (found.isSymbolicLink())
      throw new Fault(
        'path_is_link',
        `The path ${quoteName(path)} leads through the link ${quoteName(part)}.`,
      );
  }
}

async function walk(top: string, below: string): Promise<LocalFile[]> {
  const files: LocalFile[] = [];
  const names = await permitted(join(top, below), readdir(join(top, below)));
  for (const name of names.sort()) {
    const way = below === '' ? name : `${below}/${name}`;
    const from = join(top, way);
    const found = await permitted(way, lstat(from));
    if (found.isDirectory()) files.push(...(await walk(top, way)));
    else files.push(asFile(way, from, found));
  }
  return files;
}

/**
 * Awaits what asks the file system for the user's path, and words its refusal.
 * @throws Fault `path_denied`
 */
export async function permitted<T>(path: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error;
    throw new Fault('path_denied', `The server has no right to read ${quoteName(path)}.`, { cause: error });
  }
}

function asFile(way: string, from: string, found: Stats): LocalFile {
  if (found.isSymbolicLink()) throw new Fault('path_is_link', `${quoteName(way)} is a link.`);
  if (!found.isFile()) throw new Fault('unsafe_name', `${quoteName(way)} is neither a file nor a directory.`);
  const { size, mtimeMs, ino, dev } = found;
  return { path: safeRelativePath(way), from, size, mtimeMs, ino, dev };
}

/** Two names that differ on this disk may be one name after Unicode normalisation. */
function refuseTwins(files: readonly LocalFile[]): void {
  const seen = new Set<string>();
  for (const { path } of files) {
    if (seen.has(path)) throw new Fault('unsafe_name', `Two files have the name ${quoteName(path)}.`);
    seen.add(path);
  }
}
