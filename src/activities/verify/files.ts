// The files of a published product against its checksum manifest.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { damageOf } from '../../bytes/disk-fault.js';
import { hashFile } from '../../bytes/hash.js';
import type { Claim, FileEntry } from '../../contracts/claim.js';
import type { DamagedFile } from '../../contracts/verification.js';
import { CHECKSUMS, checksumLine, filesBelow, MANIFEST, type ProductManifest } from '../publish/manifest.js';
import type { StageDeps } from '../support/deps.js';
import { type Heart, SLOW_DISK_MS, startHeart } from '../support/heartbeat.js';

export interface Compared {
  readonly files: number;
  readonly bytes: number;
  readonly damaged: readonly DamagedFile[];
  /** Paths that the manifest does not know. */
  readonly added: readonly string[];
}

/** Reads every file once. A manifest that is damaged itself proves nothing, so then nothing else is read. */
export async function compareFiles(
  deps: StageDeps,
  product: { readonly uuid: string; readonly directory: string; readonly manifest: Claim },
): Promise<Compared> {
  const { uuid, directory, manifest } = product;
  const heart = startHeart(deps.progress, { uuid });
  const own = await readList(directory, manifest);
  if ('damaged' in own) return { files: 1, bytes: 0, damaged: [own.damaged], added: [] };
  const files = [...own.files, ...ownLists(own.files)];
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const damaged: DamagedFile[] = [];
  let before = 0;
  for (const file of files) {
    const onProgress = (bytes: number): void =>
      heart.beat({
        stage: 'validate',
        done: before + bytes,
        total: 2 * total,
        unit: 'bytes',
        note: file.path,
      });
    const problem = await compareFile(directory, file, heart, onProgress);
    if (problem !== undefined) damaged.push(problem);
    before += file.size;
    onProgress(0);
  }
  const known = new Set(files.map(({ path }) => path));
  const added = (await foundBelow(directory)).filter((path) => !known.has(path));
  return { files: files.length + 1, bytes: total, damaged, added };
}

/** A directory that the disk cannot read hides only what was added: the files of the list were read by name. */
async function foundBelow(directory: string): Promise<string[]> {
  try {
    return await filesBelow(directory);
  } catch (error) {
    if (damageOf(error) === undefined) throw error;
    return [];
  }
}

async function readList(
  directory: string,
  { size, digest }: Claim,
): Promise<ProductManifest | { readonly damaged: DamagedFile }> {
  const expected = { size, sha256: digest };
  const damage = (problem: DamagedFile['problem'], found: DamagedFile['found']) => ({
    damaged: { path: MANIFEST, problem, expected, found },
  });
  try {
    const content = await readFile(join(directory, MANIFEST));
    const sha256 = createHash('sha256').update(content).digest('hex');
    if (sha256 !== digest) return damage('changed', { size: content.length, sha256 });
    return JSON.parse(content.toString()) as ProductManifest;
  } catch (error) {
    const problem = damageOf(error);
    if (problem === undefined) throw error;
    return damage(problem, null);
  }
}

/** The list for `sha256sum -c` follows from the manifest, so it can be compared although no list names it. */
function ownLists(files: readonly FileEntry[]): FileEntry[] {
  const content = Buffer.from(files.map(({ path, sha256 }) => checksumLine(path, sha256)).join(''));
  const sha256 = createHash('sha256').update(content).digest('hex');
  return [{ path: CHECKSUMS, size: content.length, sha256 }];
}

async function compareFile(
  directory: string,
  { path, size, sha256 }: FileEntry,
  heart: Heart,
  onProgress: (bytes: number) => void,
): Promise<DamagedFile | undefined> {
  const expected = { size, sha256 };
  const signal = Context.current().cancellationSignal;
  try {
    const found = await heart.waiting(hashFile(join(directory, path), { signal, onProgress }), SLOW_DISK_MS);
    if (found.sha256 === sha256) return undefined;
    return { path, problem: 'changed', expected, found: { size: found.size, sha256: found.sha256 } };
  } catch (error) {
    const problem = damageOf(error);
    if (problem === undefined) throw error;
    return { path, problem, expected, found: null };
  }
}
