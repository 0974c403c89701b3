// What nobody will ask for again: secrets and staging areas of uploads that ended long ago, or that no row knows.
import { lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno } from '../bytes/disk-fault.js';
import { removeTree } from '../bytes/files.js';
import { keys, pathOf, type Roots } from '../bytes/layout.js';
import { isJobId, isUuid } from '../domain/ids.js';
import { isFinal } from '../domain/upload.js';
import { findJob } from '../store/jobs.js';
import type { Store } from '../store/mongo.js';

const HOUR_MS = 3_600_000;
export const KEPT_MS = 7 * 24 * HOUR_MS;

export interface AgeingDeps {
  readonly store: Store;
  readonly roots: Roots;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
}

/** A round of the keeper: looks at most once an hour. */
export function createAgeing(deps: AgeingDeps): () => Promise<void> {
  let nextAt = 0;
  return async () => {
    const now = Date.now();
    if (now < nextAt) return;
    nextAt = now + HOUR_MS;
    await removeAged(deps, new Date(now - KEPT_MS));
  };
}

/**
 * Removes secrets and staging areas in which nothing changed since `before`, when their upload ended before that
 * time too or has no row. What an open upload needs stays, however old.
 */
export async function removeAged({ store, roots, log }: AgeingDeps, before: Date): Promise<void> {
  const parents = [keys.secret('x'), keys.uploadStaging('x')].map((key) => dirname(pathOf(roots, 'in', key)));
  for (const parent of parents) {
    for (const name of await namesIn(parent)) {
      const job = jobOf(name);
      const path = join(parent, name);
      if (job === undefined || !(await isOlder(path, before)) || !(await isOver(store, job, before)))
        continue;
      await removeTree(path);
      log('leftovers of an upload were removed', { job });
    }
  }
}

/** The job of an entry; a write that died leaves `<job>.<something>.tmp`. Work areas of datasets are not ours. */
function jobOf(name: string): string | undefined {
  const [job = ''] = name.split('.');
  return isJobId(job) && !isUuid(job.slice(0, 36)) ? job : undefined;
}

async function isOver(store: Store, jobId: string, before: Date): Promise<boolean> {
  const row = await findJob(store, jobId);
  return row === null || (isFinal(row.upload_status) && row.updated_at < before);
}

async function isOlder(path: string, before: Date): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && found.mtime < before;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
