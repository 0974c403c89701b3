// POST large/initiate: the rows and the workflow of an upload whose chunks come later.
import { trimSlashes } from '../../../bytes/safe-names.js';
import { largeInitiateSchema } from '../../../contracts/http-large.js';
import { Fault } from '../../../domain/fault.js';
import { begin } from '../../awaited/session.js';
import type { ApiDeps } from '../../deps.js';
import { answerOnce } from '../../idempotency-key.js';
import { requireStore } from '../../intake.js';
import { newIds } from '../../new-ids.js';
import { type ApiContext, check, parseJson, readText } from '../../route.js';
import { compatWish } from '../wish.js';
import { uploadIdOf } from './session.js';

/** A map of the chunks is read with every question. */
const MOST_CHUNKS = 1_000_000;

/** @throws InvalidRequest, Fault payload_too_large, disk_full, and those of `begin` */
export async function initiate(c: ApiContext, deps: ApiDeps): Promise<Response> {
  await requireStore(deps);
  const body = parseJson(await readText(c));
  const request = check(largeInitiateSchema, body, 'body');
  const { file_size: bytes, file_hash: sha256, filename, relative_path: directory } = request;
  const wish = compatWish(body as Record<string, unknown>);
  const { chunkBytes, chunkExpiryMs: expiresAfterMs } = deps.config.limits;
  const total = Math.ceil(bytes / chunkBytes);
  if (total > MOST_CHUNKS) {
    throw new Fault('payload_too_large', `More than ${MOST_CHUNKS} chunks of ${chunkBytes} bytes.`);
  }
  return await answerOnce(c, deps, body, newIds(), async (ids) => {
    const path = directory ? `${trimSlashes(directory.replace(/^\.?\/+/, ''))}/${filename}` : filename;
    const { recorded, notice } = await begin(deps, wish, ids, {
      door: 'chunks',
      path,
      bytes,
      sha256: sha256.toLowerCase(),
      expiresAfterMs,
      extra: { chunkBytes },
    });
    const { jobId } = recorded.order;
    const answer = {
      upload_id: uploadIdOf(jobId),
      chunk_size: chunkBytes,
      total_chunks: total,
      message: notice === undefined ? 'Send the chunks' : `Send the chunks: ${notice}`,
      job_id: jobId,
      dataset_uuid: recorded.row.uuid,
    };
    return { status: 200, body: answer };
  });
}
