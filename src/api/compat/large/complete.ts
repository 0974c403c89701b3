// POST large/complete: all chunks are there, and together they are the file that was announced.
import { join } from 'node:path';
import { hashFile } from '../../../bytes/hash.js';
import { keys, pathOf } from '../../../bytes/layout.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import { takeHold } from '../../awaited/hold.js';
import { finish, refuse } from '../../awaited/session.js';
import type { ApiDeps } from '../../deps.js';
import type { ApiContext } from '../../route.js';
import { chunksMissing, findLarge, type LargeSession, withChunks } from './session.js';

/** A larger file is not read while its client waits: the upload proves it right after, as it does every file. */
const PROVE_NOW_BYTES = 16 * 2 ** 30;
/** So many missing chunks are told. */
const MOST_TOLD = 1_000;

/** Any number of times, from anywhere. @throws Fault chunks_missing, file_mismatch, upload_gone, not_found */
export async function complete(c: ApiContext, deps: ApiDeps): Promise<Response> {
  let large = await findLarge(deps, c.req.param('upload_id') ?? '');
  if (large.state === 'open') {
    await whole(deps, large);
    large = await findLarge(deps, large.uploadId);
  }
  if (large.state !== 'whole') throw endedWords(large);
  const { job, session, plan, uploadId } = large;
  return c.json({
    message: 'Upload complete',
    file_path: join(pathOf(deps.roots, 'in', keys.received(job.dataset_uuid)), session.path),
    file_size: plan.bytes,
    job_submitted: true,
    upload_id: uploadId,
    job_id: job.job_id,
    dataset_uuid: job.dataset_uuid,
  });
}

/** One request at a time does it; the next one finds it done. */
async function whole(deps: ApiDeps, large: LargeSession): Promise<void> {
  const hold = await takeHold(deps, large.job.job_id).catch((error: unknown) => {
    if (faultOf(error)?.code === 'upload_gone') return undefined;
    throw error;
  });
  if (hold === undefined) return;
  const alive = setInterval(hold.alive, 1_000);
  try {
    const now = await findLarge(deps, large.uploadId);
    if (now.state !== 'open') return;
    const { bytes } = now.plan;
    const { path, sha256 = '' } = now.session;
    await withChunks(deps, now, async (file) => {
      const missing = chunksMissing(now, await file.present());
      if (missing.length > 0) throw missingWords(missing);
      if (bytes <= PROVE_NOW_BYTES) await prove(deps, now, file.path);
    });
    await finish(deps, now, [{ path, size: bytes, sha256 }]);
  } finally {
    clearInterval(alive);
    await hold.release();
  }
}

/** Every chunk has its announced digest, so no chunk that is sent again could mend it: the upload ends. */
async function prove(deps: ApiDeps, large: LargeSession, path: string): Promise<void> {
  const { sha256 } = await hashFile(path, { signal: deps.closing });
  if (sha256 === large.session.sha256) return;
  const words = `The file has the SHA-256 digest ${sha256}, not the announced one.`;
  await refuse(deps, large, new Fault('checksum_mismatch', words));
  throw new Fault('file_mismatch', words);
}

const missingWords = (missing: readonly number[]): Fault =>
  new Fault('chunks_missing', `${missing.length} chunks are missing, the first is ${missing[0]}.`, {
    facts: { missing_chunks: missing.slice(0, MOST_TOLD) },
  });

/** It was refused before, or it ended in another way. */
function endedWords({ job }: LargeSession): Fault {
  const failure = job.sluice.failure;
  const isMismatch = failure?.code === 'checksum_mismatch';
  return new Fault(isMismatch ? 'file_mismatch' : 'upload_gone', failure?.say);
}
