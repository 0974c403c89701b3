// POST large/chunk: one chunk from the socket into its place in the file. It counts when its hash was seen to fit.
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ChunkedFile } from '../../../bytes/chunked-file.js';
import { chunkFormSchema } from '../../../contracts/http-large.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import { showReceived } from '../../../store/receivers.js';
import { takeHold } from '../../awaited/hold.js';
import type { ApiDeps } from '../../deps.js';
import { type Pacing, startPacing } from '../../pacing.js';
import { type FormFields, type FormSink, receiveForm } from '../../receive-form.js';
import { type ApiContext, check } from '../../route.js';
import { chunksThere, findLarge, type LargeSession, withChunks } from './session.js';

const IDLE_MS = 60_000;
const REST_MS = 30_000;
/** What a form may have around its chunk, bytes. */
const AROUND_BYTES = 64 * 1024;

/** @throws Fault not_found, chunk_index, chunk_length, chunk_mismatch, upload_gone, upload_locked */
export async function takeChunk(c: ApiContext, deps: ApiDeps): Promise<Response> {
  try {
    return await taken(c, deps);
  } catch (error) {
    await letCome(c, deps);
    throw error;
  }
}

/**
 * The rest of a refused body: a connection that is closed while its client still sends loses the answer, and the
 * client would try the same again. Not more than a chunk, and not for long.
 */
async function letCome(c: ApiContext, { config }: ApiDeps): Promise<void> {
  const { incoming } = c.env;
  const isSmall = Number(c.req.header('content-length') ?? 0) <= 2 * config.limits.chunkBytes;
  if (incoming.complete || incoming.destroyed || !isSmall) return;
  const signal = AbortSignal.timeout(REST_MS);
  incoming.resume();
  await finished(incoming, { signal, cleanup: true }).catch(() => undefined);
}

async function taken(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const large = await findLarge(deps, c.req.param('upload_id') ?? '');
  const index = indexOf(large, c.req.param('index') ?? '');
  const there = await receive(c, deps, large, index);
  await showReceived(deps.store, large.job.job_id, bytesOf(large, there));
  return c.json({
    message: `Chunk ${index} is there`,
    uploaded_chunks: there.length,
    total_chunks: large.totalChunks,
  });
}

function indexOf({ totalChunks }: LargeSession, text: string): number {
  const index = Number(text);
  if (/^\d{1,9}$/.test(text) && index < totalChunks) return index;
  throw new Fault('chunk_index', `The index of a chunk is 0 to ${totalChunks - 1} here.`);
}

/** The chunks that are there after it. */
async function receive(
  c: ApiContext,
  deps: ApiDeps,
  large: LargeSession,
  index: number,
): Promise<readonly number[]> {
  if (large.state === 'whole') {
    // The answer to it was lost, and the upload went on: it need not come again.
    await letCome(c, deps);
    return await chunksThere(deps, large);
  }
  return await withChunks(deps, large, async (file) => {
    const form = new ChunkForm(deps, file, large, index);
    try {
      const fields = await receiveForm(c.env.incoming, {
        part: 'chunk',
        maxBytes: file.lengthOf(index) + AROUND_BYTES,
        idleMs: IDLE_MS,
        heldUp: () => form.heldUp(),
        signal: deps.closing,
        open: (_name, before) => form.open(before),
        stray: () => undefined,
        onBytes: (bytes) => form.count(bytes),
      });
      form.requireChunk(fields);
    } catch (error) {
      throw form.worded(error);
    }
    return await file.present();
  });
}

/** The form of one chunk: its hash, then its bytes. */
class ChunkForm {
  readonly #deps: ApiDeps;
  readonly #file: ChunkedFile;
  readonly #name: string;
  readonly #sender: { readonly jobId: string; readonly owner: string };
  readonly #index: number;
  #bytes = 0;
  #body: Readable | undefined;
  #pacing: Pacing | undefined;

  constructor(deps: ApiDeps, file: ChunkedFile, { job }: LargeSession, index: number) {
    this.#deps = deps;
    this.#file = file;
    this.#index = index;
    this.#name = `${job.job_id}/${index}`;
    this.#sender = { jobId: job.job_id, owner: job.user_email };
  }

  count(bytes: number): void {
    this.#bytes += bytes;
  }

  heldUp(): boolean {
    return this.#pacing?.heldUp() ?? false;
  }

  async open(before: FormFields): Promise<FormSink> {
    if (this.#body !== undefined) throw new Fault('invalid_field', 'The form holds two chunks.');
    const { chunk_hash } = check(chunkFormSchema, before, 'body');
    return {
      fill: async (body) => {
        this.#body = body;
        await this.#write(body, chunk_hash.toLowerCase());
      },
      close: async () => this.#bytes,
    };
  }

  /** @throws InvalidRequest when there was none */
  requireChunk(fields: FormFields): void {
    if (this.#body === undefined) check(chunkFormSchema.required({ chunk: true }), fields, 'body');
  }

  /** How the failure reads for a chunk. */
  worded(error: unknown): unknown {
    const code = faultOf(error)?.code;
    const length = this.#file.lengthOf(this.#index);
    const isShort = code === 'upload_interrupted' && this.#body?.readableEnded === true;
    if (code === 'payload_too_large' || isShort) {
      const came = isShort ? `${this.#bytes} bytes came` : 'more came';
      return new Fault('chunk_length', `Chunk ${this.#index} has ${length} bytes; ${came}.`, {
        cause: error,
      });
    }
    if (code !== 'checksum_mismatch') return error;
    return new Fault(
      'chunk_mismatch',
      `The bytes of chunk ${this.#index} do not have the SHA-256 digest that was announced.`,
    );
  }

  async #write(body: Readable, sha256: string): Promise<void> {
    const hold = await takeHold(this.#deps, this.#name);
    const mayWrite = (): void => {
      hold.mayWrite();
      hold.alive();
    };
    const { closing: signal } = this.#deps;
    const pacing = startPacing(this.#deps, { ...this.#sender, signal }, () => hold.alive());
    this.#pacing = pacing;
    try {
      await this.#file.write(this.#index, body, { sha256, signal, mayWrite, pace: pacing.pace });
    } finally {
      pacing.leave();
      await hold.release();
    }
  }
}

function bytesOf(
  { plan: { bytes, chunkBytes }, totalChunks }: LargeSession,
  there: readonly number[],
): number {
  const last = totalChunks - 1;
  const rest = there.at(-1) === last ? bytes - last * chunkBytes : 0;
  return (there.length - (rest > 0 ? 1 : 0)) * chunkBytes + rest;
}
