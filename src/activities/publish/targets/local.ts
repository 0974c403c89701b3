// The product as it lies here: every file is read once and held against the manifest before it goes anywhere.
import { join } from 'node:path';
import { damageOf } from '../../../bytes/disk-fault.js';
import { type ExtraDigest, type FileHash, hashFile } from '../../../bytes/hash.js';
import { quoteName } from '../../../bytes/safe-names.js';
import type { FileEntry } from '../../../contracts/claim.js';
import type { Target } from '../../../contracts/targets.js';
import { Fault } from '../../../domain/fault.js';
import type { Outgoing } from './publisher.js';
import { several } from './several.js';

/** Files that are read and held against the manifest together. */
const TOGETHER = 4;

/** @throws Fault `product_damaged`; the signal's reason */
export async function readLocal(
  directory: string,
  { path, sha256 }: FileEntry,
  signal: AbortSignal,
  also: readonly ExtraDigest[] = [],
): Promise<FileHash> {
  const found = await hashFile(join(directory, path), { signal, also }).catch((error: unknown) => {
    if (damageOf(error) !== undefined) throw damaged(path, 'cannot be read');
    throw error;
  });
  if (found.sha256 !== sha256) throw damaged(path, 'is not what was published');
  return found;
}

/** All files of the product, some at a time. @throws as `readLocal` */
export async function readAllLocal({
  directory,
  files,
  signal,
  advance,
}: Pick<Outgoing<Target>, 'directory' | 'files' | 'signal' | 'advance'>): Promise<void> {
  await several(TOGETHER, files, async (file) => {
    await readLocal(directory, file, signal);
    advance(0, file.path);
  });
}

const damaged = (path: string, how: string): Fault =>
  new Fault('product_damaged', `The file ${quoteName(path)} of the product ${how}.`);

/** What a target holds is not what was published. */
export const differs = (what: string): Fault =>
  new Fault('target_differs', `What the target holds as ${quoteName(what)} is not what was published.`);
