// Claims and the files they stand for. materialise() is the only way from a claim to a path.
import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Claim, FileManifest } from '../contracts/claim.js';
import { Fault } from '../domain/fault.js';
import { isErrno } from './disk-fault.js';
import { hashFile } from './hash.js';
import { writeFileAtomic } from './json-file.js';
import { keys, pathOf, type Roots } from './layout.js';

export interface MaterialiseOptions {
  /** Read the file and compare its digest; otherwise only its size is compared. Not for directories. */
  readonly digest?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The absolute path of a claim's bytes, on this machine, links resolved. A directory's size is not compared.
 * @throws Fault `internal` when the bytes are missing or the key leaves the store, `checksum_mismatch` when they differ
 */
export async function materialise(
  roots: Roots,
  claim: Claim,
  options: MaterialiseOptions = {},
): Promise<string> {
  const path = await inside(roots, claim);
  const found = await stat(path);
  if (found.isDirectory()) return path;
  const differs =
    found.size !== claim.size ||
    (options.digest === true && (await hashFile(path, { signal: options.signal })).sha256 !== claim.digest);
  if (differs) throw new Fault('checksum_mismatch', `The stored file ${claim.key} is not what it was.`);
  return path;
}

/**
 * Stores a list of files and tells its claim. The same list under the same name gives the same claim.
 * @param name a file name without extension: a job id, or another word of letters, digits, `_`, `-`
 */
export async function putManifest(
  roots: Roots,
  uuid: string,
  name: string,
  manifest: FileManifest,
): Promise<Claim> {
  if (!/^[\w-]{1,150}$/.test(name)) throw new Error(`not a name for a manifest: ${name}`);
  const key = `${keys.manifests(uuid)}/${name}.json`;
  const content = Buffer.from(`${JSON.stringify(manifest)}\n`);
  await writeFileAtomic(pathOf(roots, 'in', key), content);
  return { store: 'in', key, size: content.length, digest: sha256(content) };
}

/**
 * The list of files behind a claim, proven by its digest.
 * @throws as materialise
 */
export async function readManifest(roots: Roots, claim: Claim): Promise<FileManifest> {
  const content = await readFile(await materialise(roots, claim));
  if (sha256(content) !== claim.digest) {
    throw new Fault('checksum_mismatch', `The stored list of files ${claim.key} is not what it was.`);
  }
  return JSON.parse(content.toString()) as FileManifest;
}

/** The claim of a file in the store. */
export function claimFile(store: Claim['store'], key: string, size: number, digest: string): Claim {
  return { store, key, size, digest };
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** Resolves links and proves that the result lies below the store's root. */
async function inside(roots: Roots, claim: Claim): Promise<string> {
  const parts = claim.key.split('/');
  const wellFormed =
    !claim.key.includes('\0') && !parts.some((part) => part === '' || part === '..' || part === '.');
  if (!wellFormed) throw new Fault('internal', `The claim ${JSON.stringify(claim.key)} has no proper key.`);
  try {
    const root = await realpath(roots[claim.store]);
    const path = await realpath(join(root, claim.key));
    if (path.startsWith(root + sep)) return path;
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new Fault('internal', `The stored bytes ${claim.key} are missing.`, { cause: error });
  }
  throw new Fault('internal', `The claim ${claim.key} leads out of its store.`);
}
