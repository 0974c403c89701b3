// What tus 1.0 asks: create, where to go on, take bytes, end. The bytes go from the socket to the file.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lastByteAt } from '../../bytes/last-byte.js';
import { uploadStaging } from '../../bytes/staging.js';
import { Fault, faultOf } from '../../domain/fault.js';
import { closeWriter } from '../../store/writers.js';
import { completeIfWhole } from '../awaited/complete.js';
import type { FoundSession, HeldWriter } from '../awaited/port.js';
import { begin, find, tellLength } from '../awaited/session.js';
import { commandJob } from '../commands.js';
import type { ApiDeps } from '../deps.js';
import { nativeAnswer } from '../dialect.js';
import { answerOnce } from '../idempotency-key.js';
import { requireStore } from '../intake.js';
import { newIds } from '../new-ids.js';
import type { ApiContext } from '../route.js';
import { bytesHeader, checksumHeader, metadataHeader } from './headers.js';
import { readMetadata } from './wish.js';

const BODY_TYPE = 'application/offset+octet-stream';

/** @returns the answer of a creation; its body is that of a native upload */
export async function create(c: ApiContext, deps: ApiDeps): Promise<Response> {
  await requireStore(deps);
  if (c.req.header('upload-concat') !== undefined) {
    throw new Fault(
      'invalid_field',
      'Upload-Concat: this server joins no uploads; send parts by the chunk routes.',
    );
  }
  const bytes = bytesHeader(c, 'upload-length') ?? null;
  const defers = c.req.header('upload-defer-length');
  if ((bytes === null) === (defers === undefined) || (defers ?? '1') !== '1') {
    throw new Fault('invalid_field', 'Send either Upload-Length or Upload-Defer-Length: 1.');
  }
  const metadata = metadataHeader(c);
  const { wish, path, sha256 } = readMetadata(metadata);
  const hasBody = c.req.header('content-type') === BODY_TYPE;
  const answer = await answerOnce(c, deps, { bytes, metadata }, newIds(), async (ids) => {
    const { uploadExpiryMs: expiresAfterMs } = deps.config.limits;
    const extra = { metadata: c.req.header('upload-metadata') ?? '' };
    const session = { door: 'tus', path, bytes, sha256, expiresAfterMs, extra } as const;
    const { recorded, notice } = await begin(deps, wish, ids, session);
    return nativeAnswer({ recorded, received: { files: 0, bytes: 0 }, notice });
  });
  const { job_id: jobId } = (await answer.clone().json()) as { job_id: string };
  answer.headers.set('location', `${c.req.path.replace(/\/$/, '')}/${jobId}`);
  if (hasBody) answer.headers.set('upload-offset', `${await takeFirst(c, deps, jobId)}`);
  const found = await find(deps, jobId);
  await setExpiry(answer, deps, found);
  return answer;
}

/** The body of a creation. What breaks in it is no reason to forget the upload: its client goes on where it ended. */
async function takeFirst(c: ApiContext, deps: ApiDeps, jobId: string): Promise<number> {
  const writer = await deps.writers.hold(jobId);
  try {
    if (writer.offset === 0) await writer.append(c.env.incoming, roomOf(c, deps, writer), checksumHeader(c));
    await completeIfWhole(deps, writer);
  } catch (error) {
    const { code } = faultOf(error) ?? {};
    if (code !== 'upload_interrupted' && code !== 'part_mismatch') throw error;
  } finally {
    await writer.rest();
  }
  return writer.offset;
}

/** HEAD: where to go on. */
export async function tell(c: ApiContext, deps: ApiDeps, jobId: string): Promise<Response> {
  let found = await find(deps, jobId);
  if (found.state === 'open' && (await healed(deps, found))) found = await find(deps, jobId);
  if (found.state === 'gone') throw new Fault('upload_gone');
  const { bytes, extra } = found.session;
  const metadata = String(extra?.['metadata'] ?? '');
  const answer = c.body(null, 200, {
    'cache-control': 'no-store',
    'upload-offset': `${await offsetOf(deps, found)}`,
    ...(bytes === null ? { 'upload-defer-length': '1' } : { 'upload-length': `${bytes}` }),
    ...(metadata === '' ? {} : { 'upload-metadata': metadata }),
  });
  await setExpiry(answer, deps, found);
  return answer;
}

/** All bytes are there, but the process died that should have said so. */
async function healed(deps: ApiDeps, found: FoundSession): Promise<boolean> {
  const { bytes } = found.session;
  if (bytes === null || (await offsetOf(deps, found)) !== bytes) return false;
  const writer = await deps.writers.hold(found.job.job_id, found).catch(() => undefined);
  if (writer === undefined) return false;
  try {
    return await completeIfWhole(deps, writer);
  } finally {
    await writer.rest();
  }
}

async function offsetOf({ roots, writers }: ApiDeps, { job, session, state }: FoundSession): Promise<number> {
  if (state === 'whole') return session.bytes ?? 0;
  const here = writers.peek(job.job_id);
  if (here !== undefined) return here.offset;
  const path = join(uploadStaging(roots, job.job_id).files, session.path);
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** PATCH: bytes from the offset on. */
export async function take(c: ApiContext, deps: ApiDeps, jobId: string): Promise<Response> {
  if (c.req.header('content-type') !== BODY_TYPE) {
    throw new Fault('unsupported_media_type', `This route reads ${BODY_TYPE}.`);
  }
  const from = bytesHeader(c, 'upload-offset');
  if (from === undefined) throw new Fault('invalid_field', 'Upload-Offset is missing.');
  const digest = checksumHeader(c);
  const writer = await held(deps, jobId);
  if (writer === undefined) return await afterTheEnd(c, deps, jobId, from);
  try {
    if (writer.offset !== from) throw wrongOffset(from, writer.offset);
    await takeLength(c, deps, writer);
    await writer.append(c.env.incoming, roomOf(c, deps, writer), digest);
    await completeIfWhole(deps, writer);
  } finally {
    await writer.rest();
  }
  const expires = new Date(Date.now() + writer.found.session.expiresAfterMs).toUTCString();
  return c.body(null, 204, { 'upload-offset': `${writer.offset}`, 'upload-expires': expires });
}

/** Nothing, when the upload is whole. @throws Fault upload_gone, upload_locked, not_found */
async function held(deps: ApiDeps, jobId: string): Promise<HeldWriter | undefined> {
  try {
    return await deps.writers.hold(jobId);
  } catch (error) {
    if (faultOf(error)?.code !== 'upload_gone') throw error;
    if ((await find(deps, jobId)).state !== 'whole') throw error;
    return undefined;
  }
}

/** The answer to the last bytes was lost, and they come once more: they are there. */
async function afterTheEnd(c: ApiContext, deps: ApiDeps, jobId: string, from: number): Promise<Response> {
  const length = (await find(deps, jobId)).session.bytes ?? 0;
  if (from !== length) throw wrongOffset(from, length);
  return c.body(null, 204, { 'upload-offset': `${length}` });
}

async function takeLength(c: ApiContext, deps: ApiDeps, writer: HeldWriter): Promise<void> {
  const bytes = bytesHeader(c, 'upload-length');
  if (bytes === undefined || bytes === writer.found.session.bytes) return;
  if (writer.found.session.bytes !== null)
    throw new Fault('invalid_field', 'Upload-Length was told before, and differs.');
  if (bytes < writer.offset)
    throw new Fault('invalid_field', 'Upload-Length is less than what has come already.');
  await tellLength(deps, writer.found, bytes);
  writer.found = await find(deps, writer.found.job.job_id);
}

/** Bytes that may still come. @throws Fault payload_too_large when more are announced */
function roomOf(c: ApiContext, deps: ApiDeps, writer: HeldWriter): number {
  const room = (writer.found.session.bytes ?? deps.config.limits.fileBytes) - writer.offset;
  if ((bytesHeader(c, 'content-length') ?? 0) > room) {
    throw new Fault('payload_too_large', `Only ${room} bytes of this upload are missing.`);
  }
  return room;
}

const wrongOffset = (from: number, offset: number): Fault =>
  new Fault('wrong_offset', `Upload-Offset is ${from}; the next byte is ${offset}.`, { facts: { offset } });

/** DELETE: the upload is cancelled. */
export async function end(c: ApiContext, deps: ApiDeps, jobId: string): Promise<Response> {
  const found = await find(deps, jobId);
  if (found.state !== 'open') throw new Fault('upload_gone');
  await commandJob(deps, found.job, 'cancel', {});
  await closeWriter(deps.store, jobId);
  await deps.writers.forget(jobId);
  return c.body(null, 204);
}

async function setExpiry(
  answer: Response,
  deps: ApiDeps,
  { job, session, state }: FoundSession,
): Promise<void> {
  if (state !== 'open') return;
  const last = Math.max(job.created_at.getTime(), await lastByteAt(deps.roots, job.job_id));
  answer.headers.set('upload-expires', new Date(last + session.expiresAfterMs).toUTCString());
}
