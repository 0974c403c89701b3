// All files of a dataset in one pass: what was delivered, and what the archives held instead of the archives.
import type { Roots } from '../../bytes/layout.js';
import { readManifest } from '../../bytes/store.js';
import type { StageInput } from '../../contracts/activities.js';
import type { FileEntry } from '../../contracts/claim.js';

/** Sorted by path; a path that two deliveries name stands once. */
export async function datasetFiles(roots: Roots, input: StageInput): Promise<FileEntry[]> {
  const delivered = await Promise.all(input.manifests.map((claim) => readManifest(roots, claim)));
  const extracted = input.extracted === undefined ? [] : (await readManifest(roots, input.extracted)).files;
  const kept = delivered
    .flatMap(({ files }) => files)
    .filter((file) => input.extracted === undefined || file.archive === undefined);
  const byPath = new Map([...kept, ...extracted].map((file) => [file.path, file]));
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
