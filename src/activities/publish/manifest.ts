// The list of a product's files: as JSON for programs, and in the form that `sha256sum -c` accepts.
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { Context } from '@temporalio/activity';
import { hashFile } from '../../bytes/hash.js';
import { writeFileAtomic, writeJson } from '../../bytes/json-file.js';
import type { FileEntry } from '../../contracts/claim.js';
import { type Heart, SLOW_DISK_MS } from '../support/heartbeat.js';

export interface ProductManifest {
  readonly version: 1;
  readonly files: readonly FileEntry[];
}

export const MANIFEST = 'manifest.json';
export const CHECKSUMS = 'manifest-sha256.txt';

/** Every file of the product with size and digest, but the lists. */
export async function hashProduct(directory: string, heart: Heart): Promise<FileEntry[]> {
  const paths = await filesBelow(directory);
  const files: FileEntry[] = [];
  for (const path of paths) {
    const told = (): void =>
      heart.beat({ stage: 'publish', done: files.length, total: paths.length, unit: 'files', note: path });
    files.push(await hashOne(directory, path, heart, told));
    told();
  }
  return files;
}

/** A file of the product with size and digest. */
export async function hashOne(
  directory: string,
  path: string,
  heart: Heart,
  onProgress?: () => void,
): Promise<FileEntry> {
  const signal = Context.current().cancellationSignal;
  const hashing = hashFile(join(directory, path), { signal, onProgress });
  const { sha256, size } = await heart.waiting(hashing, SLOW_DISK_MS);
  return { path, size, sha256 };
}

/** Writes both lists of these files beside them. */
export async function writeManifest(directory: string, files: readonly FileEntry[]): Promise<void> {
  const lines = files.map(({ path, sha256 }) => checksumLine(path, sha256));
  await writeFileAtomic(join(directory, CHECKSUMS), Buffer.from(lines.join('')));
  await writeJson(join(directory, MANIFEST), { version: 1, files } satisfies ProductManifest);
}

/** A name with a backslash or a line break is escaped, and the line says so by a leading backslash. */
export function checksumLine(path: string, sha256: string): string {
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `${escaped === path ? '' : '\\'}${sha256}  ${escaped}\n`;
}

/** Relative POSIX paths of all files, sorted; the lists themselves are not among them. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => path !== MANIFEST && path !== CHECKSUMS)
    .sort();
}
