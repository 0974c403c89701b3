// From which folder of a client's directory a file of the dataset came.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../bytes/disk-fault.js';
import { readJson } from '../../bytes/json-file.js';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import type { FileManifest } from '../../contracts/claim.js';

/** Looks through all that was delivered, which is asked only where two folders hold equal files of one name. */
export async function folderOfFile(roots: Roots, uuid: string, path: string): Promise<string | undefined> {
  const directory = pathOf(roots, 'in', keys.manifests(uuid));
  for (const name of await namesIn(directory)) {
    const list = (await readJson(join(directory, name))) as FileManifest | undefined;
    if (list?.folder !== undefined && list.files.some((file) => file.path === path)) return list.folder;
  }
  return undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.json'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
