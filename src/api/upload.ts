// The two ways to start an upload, for every dialect: bytes in a form, or a source that the server fetches itself.

import { Fault } from '../domain/fault.js';
import { sourceWords } from '../domain/source.js';
import { checkSource, type SourceBody } from '../sources/registry.js';
import { type ApiDeps, offerDeps } from './deps.js';
import { Answered, answerOnce, KeyHold, send } from './idempotency-key.js';
import { handOver, record, requireStore, type UploadWish } from './intake.js';
import { newIds } from './new-ids.js';
import { InvalidRequest, toFault } from './problem.js';
import { type FormFields, receiveForm, refuseTooLong } from './receive-form.js';
import type { ApiContext } from './route.js';
import { type ParseWish, type SessionResult, UploadSession } from './upload-session.js';

/** Longest time without a byte of a body. */
const IDLE_MS = 60_000;

/** How a dialect words the answer. */
export type Word = (result: SessionResult) => { status: number; body: unknown };

/** Receives a multipart form. */
export async function uploadForm(
  c: ApiContext,
  deps: ApiDeps,
  parse: ParseWish,
  word: Word,
): Promise<Response> {
  return await inSession(c, deps, { parse, word }, (session) =>
    receiveForm(c.env.incoming, {
      maxBytes: deps.config.limits.uploadBytes,
      idleMs: IDLE_MS,
      heldUp: () => session.heldUp(),
      signal: session.signal,
      open: (name, before) => session.open(name, before),
      stray: (part) => session.stray(part),
      onBytes: (bytes) => session.onBytes(bytes),
    }),
  );
}

/** Receives one file as the whole body; its fields are known before its first byte. */
export async function uploadBody(
  c: ApiContext,
  deps: ApiDeps,
  { path, fields }: { readonly path: string; readonly fields: FormFields },
  parse: ParseWish,
  word: Word,
): Promise<Response> {
  const { uploadBytes: most } = deps.config.limits;
  return await inSession(c, deps, { parse, word, hashes: true }, async (session) => {
    parse(fields);
    refuseTooLong(lengthOf(c), most);
    const file = await session.open(path, fields);
    let told = 0;
    await file.fill(c.env.incoming, {
      most,
      idleMs: IDLE_MS,
      signal: session.signal,
      onWritten: (bytes) => {
        session.onBytes(bytes - told);
        told = bytes;
      },
    });
    await file.close();
    return fields;
  });
}

const lengthOf = (c: ApiContext): number => Number(c.env.incoming.headers['content-length'] ?? 0);

async function inSession(
  c: ApiContext,
  deps: ApiDeps,
  { parse, word, hashes }: { readonly parse: ParseWish; readonly word: Word; readonly hashes?: boolean },
  receive: (session: UploadSession) => Promise<FormFields>,
): Promise<Response> {
  await requireStore(deps);
  const hold = new KeyHold(c, deps);
  const session = new UploadSession(deps, hold, parse, lengthOf(c), hashes);
  try {
    const fields = await receive(session);
    const { status, body } = word(await session.finish(fields));
    const answer = { status, body: JSON.stringify(body), contentType: 'application/json' };
    await hold.answer(answer);
    return send(answer);
  } catch (error) {
    if (error instanceof Answered) return send(error.answer, true);
    throw await failed(deps, session, hold, error);
  }
}

async function failed(deps: ApiDeps, session: UploadSession, hold: KeyHold, error: unknown): Promise<Error> {
  const fault = toFault(error);
  const { recorded } = session;
  deps.log.info({ code: fault.code, jobId: recorded?.order.jobId }, 'an upload ended early');
  await session.fail(fault).catch((second: unknown) => {
    // The lease runs out, and whoever finds it says the rest.
    deps.log.warn({ err: second }, 'the end of an upload could not be told');
  });
  await hold.fail(recorded !== undefined);
  if (recorded === undefined || fault instanceof InvalidRequest) return fault;
  const facts = { job_id: recorded.order.jobId, dataset_uuid: recorded.row.uuid };
  return new Fault(fault.code, fault.message, { cause: error, facts: { ...fault.facts, ...facts } });
}

/** Starts an upload whose bytes a worker fetches. */
export async function uploadFromSource(
  c: ApiContext,
  deps: ApiDeps,
  request: { wish: UploadWish; source: SourceBody; body: unknown },
  word: Word,
): Promise<Response> {
  const { wish } = request;
  const { source, secret } = await checkSource(request.source, offerDeps(deps));
  return await answerOnce(c, deps, request.body, newIds(), async (ids) => {
    if (secret !== undefined) await deps.vault.seal(ids.jobId, secret);
    const upload = { ...ids, source, words: sourceWords(source), bytes: 0 };
    const recorded = await record(deps, wish, upload).catch(async (error: unknown) => {
      if (secret !== undefined) await deps.vault.forget(ids.jobId);
      throw error;
    });
    const notice = await handOver(deps, recorded, recorded.order);
    return word({ recorded, received: { files: 0, bytes: 0 }, notice });
  });
}
