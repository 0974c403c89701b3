// The product as it lies here: every file is read once and held against the manifest before it goes anywhere.
import { join } from 'node:path';
import { damageOf } from '../../../bytes/disk-fault.js';
import { type ExtraDigest, type FileHash, hashFile } from '../../../bytes/hash.js';
import { quoteName } from '../../../bytes/safe-names.js';
import type { FileEntry } from '../../../contracts/claim.js';
import { Fault } from '../../../domain/fault.js';

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

const damaged = (path: string, how: string): Fault =>
  new Fault('product_damaged', `The file ${quoteName(path)} of the product ${how}.`);

/** What a target holds is not what was published. */
export const differs = (what: string): Fault =>
  new Fault('target_differs', `What the target holds as ${quoteName(what)} is not what was published.`);
