// An upload in chunks between its requests: what the row of its job says, and which chunks its map holds.
import { ChunkedFile, type ChunkPlan, chunkCount } from '../../../bytes/chunked-file.js';
import { removeTree } from '../../../bytes/files.js';
import { uploadStaging } from '../../../bytes/staging.js';
import { Fault } from '../../../domain/fault.js';
import { isClosed } from '../../../store/writers.js';
import type { FoundSession } from '../../awaited/port.js';
import { find } from '../../awaited/session.js';
import type { ApiDeps } from '../../deps.js';

const PREFIX = 'large_';

/** These clients know an upload in chunks by an id of its own; it is the job's with a word before it. */
export const uploadIdOf = (jobId: string): string => `${PREFIX}${jobId}`;

/** The job id that an id of either kind names. */
export const jobIdOf = (id: string): string => (id.startsWith(PREFIX) ? id.slice(PREFIX.length) : id);

export interface LargeSession extends FoundSession {
  readonly uploadId: string;
  readonly plan: ChunkPlan;
  readonly totalChunks: number;
}

/** @throws Fault not_found */
export async function findLarge(deps: ApiDeps, uploadId: string): Promise<LargeSession> {
  const found = await find(deps, jobIdOf(uploadId));
  const { door, bytes, extra } = found.session;
  const chunkBytes = Number(extra?.['chunkBytes'] ?? 0);
  if (door !== 'chunks' || bytes === null || chunkBytes === 0) {
    throw new Fault('not_found', '404: there is no upload in chunks with this id');
  }
  const plan = { bytes, chunkBytes };
  return { ...found, uploadId: uploadIdOf(found.job.job_id), plan, totalChunks: chunkCount(plan) };
}

/** Ascending; all of them once the upload is whole. */
export async function chunksThere(deps: ApiDeps, large: LargeSession): Promise<number[]> {
  if (large.state === 'whole') return Array.from({ length: large.totalChunks }, (_, index) => index);
  if (large.state === 'gone') return [];
  return await withChunks(deps, large, (file) => file.present());
}

/** What is not among them. */
export function chunksMissing({ totalChunks }: LargeSession, there: readonly number[]): number[] {
  const known = new Set(there);
  return Array.from({ length: totalChunks }, (_, index) => index).filter((index) => !known.has(index));
}

/**
 * Lets `work` have the file of an upload that is open.
 * @throws Fault upload_gone
 */
export async function withChunks<T>(
  deps: ApiDeps,
  { job, session, plan, state }: LargeSession,
  work: (file: ChunkedFile) => Promise<T>,
): Promise<T> {
  const { job_id: jobId } = job;
  if (state !== 'open') throw new Fault('upload_gone');
  const file = await ChunkedFile.open(deps.roots, jobId, session.path, plan);
  try {
    // It may have been cancelled and cleaned up just before the file was opened, and so made, again.
    if (await isClosed(deps.store, jobId)) throw new Fault('upload_gone');
    return await work(file);
  } finally {
    await file.close();
    if ((await isClosed(deps.store, jobId)) && (await find(deps, jobId)).state === 'gone') {
      await removeTree(uploadStaging(deps.roots, jobId).root);
    }
  }
}
