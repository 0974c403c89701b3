// The inside of the staging directories: one of an upload on its way in, one of a dataset's extraction.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { keys, pathOf, type Roots } from './layout.js';

/** Absolute paths below `<in>/.staging/<jobId>/`. */
export interface UploadStaging {
  readonly root: string;
  /** Whole files, or files that the API is receiving, at their relative paths. */
  readonly files: string;
  /** Written by the API after the last byte. */
  readonly marker: string;
  /** Partial files with their journals. */
  readonly partial: string;
  /** The files that are about to be moved into the dataset, with their digests. */
  readonly plan: string;
}

/** Where an upload's bytes lie until they are moved into the dataset. */
export function uploadStaging(roots: Roots, jobId: string): UploadStaging {
  const root = pathOf(roots, 'in', keys.uploadStaging(jobId));
  return {
    root,
    files: join(root, 'files'),
    marker: join(root, 'received.json'),
    partial: join(root, 'partial'),
    plan: join(root, 'plan.json'),
  };
}

/** Less than this is brought again faster than it is looked after, bytes. */
const WORTH_KEEPING = 64 * 1024;

/** Whether so much of an upload's bytes lies in staging that a later attempt should go on from it. */
export async function isWorthKeeping({ files, partial }: UploadStaging): Promise<boolean> {
  let found = 0;
  for (const place of [files, partial]) {
    const entries = await readdir(place, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      // What is allocated, because a partial file has its full length from the beginning.
      found += ((await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.blocks ?? 0) * 512;
      if (found > WORTH_KEEPING) return true;
    }
  }
  return false;
}

/** Key (store `in`) of the directory that archives are unpacked in. */
export const extractStagingKey = (uuid: string): string => `${keys.datasetStaging(uuid)}-extract`;
