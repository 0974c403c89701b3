// Sends one file by tus, over every break, from the byte that the server has.
//
// By hand and not by tus-js-client: its pauses are a fixed list, so it cannot wait as long as Retry-After says (its own
// tracker calls for that in vain), it counts neither 423 nor a moved server address as what they are, and it knows no
// Upload-Checksum. What is left of it for one door of our own is less than its options would be.
import { webcrypto } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UploadAnswer } from '../contracts/http.js';
import { ApiError } from './api-error.js';
import type { TusCalls } from './tus.js';
import { isWireError } from './wire.js';

export interface ResumableFile {
  /** Bytes. */
  readonly size: number;
  /** The bytes from..to of the file. @throws when it changed */
  read(from: number, to: number): AsyncIterable<Uint8Array>;
}

export interface ResumableOptions {
  /** Asked before every request: a server that was started again may have another address. */
  calls(): TusCalls;
  /** An upload that was begun before. */
  readonly begun?: string | undefined;
  /** @param replaces job id of an upload that is gone, in whose place this one comes */
  metadata(replaces: string | undefined): Readonly<Record<string, string>>;
  /** Of the creation; an upload that begins anew has one of its own. */
  readonly key: string;
  onBegun?(answer: UploadAnswer): void;
  /** Bytes that left; fewer than before when some did not arrive. */
  onProgress?(bytes: number): void;
  /** It waits before it tries again. */
  onWait?(error: unknown): void;
  readonly signal?: AbortSignal;
  /** Tries in a row without a new byte before it gives up. */
  readonly tries?: number;
  /** Largest part that goes without a checksum, bytes. */
  readonly partBytes?: number;
  /** The first pause, ms; each is twice the one before, up to 30 times. */
  readonly pauseMs?: number;
}

const MIB = 1024 * 1024;
/** A part with a checksum is kept whole or not at all, so it is no larger than what a break may cost. */
const CHECKED_BYTES = 8 * MIB;
const PIECE = 256 * 1024;
/** Most parts in a row that go without a checksum after breaks. */
const MOST_PLAIN = 64;

/**
 * @returns the job id, when the server has every byte
 * @throws ApiError for a refusal, the last error after so many tries in vain, the signal's reason, what `read` throws
 */
export async function sendResumable(file: ResumableFile, options: ResumableOptions): Promise<string> {
  return await new Resumable(file, options).run();
}

class Resumable {
  readonly #file: ResumableFile;
  readonly #options: ResumableOptions;
  readonly #signal: AbortSignal;
  #jobId: string | undefined;
  #replaces: string | undefined;
  /** What the server has; undefined: it has to be asked. */
  #offset: number | undefined;
  /** The most that it ever had. */
  #reached = -1;
  #vain = 0;
  /** Something went wrong since the last request that went well. */
  #isShaken = false;
  /** So many parts go without a checksum, and as many after the next break twice over. */
  #plain = 0;
  #spell = 1;

  constructor(file: ResumableFile, options: ResumableOptions) {
    this.#file = file;
    this.#options = options;
    this.#signal = options.signal ?? new AbortController().signal;
    this.#jobId = options.begun;
  }

  async run(): Promise<string> {
    for (;;) {
      try {
        const jobId = this.#jobId ?? (await this.#begin());
        const offset = this.#offset ?? (await this.#options.calls().offset(jobId));
        this.#arrived(offset);
        if (offset >= this.#file.size) return jobId;
        this.#offset = undefined;
        if (this.#isShaken) await this.#knock(jobId, offset);
        this.#offset = await this.#send(jobId, offset);
      } catch (error) {
        this.#signal.throwIfAborted();
        await this.#recover(error);
      }
    }
  }

  async #begin(): Promise<string> {
    const { calls, metadata, key, onBegun } = this.#options;
    const own = this.#replaces === undefined ? key : `${key}-${this.#replaces}`;
    const answer = await calls().create(this.#file.size, metadata(this.#replaces), own);
    this.#jobId = answer.job_id;
    onBegun?.(answer);
    return answer.job_id;
  }

  #arrived(offset: number): void {
    if (offset > this.#reached) this.#vain = 0;
    this.#reached = Math.max(offset, this.#reached);
    this.#options.onProgress?.(offset);
  }

  /** After a break, asks with no byte whether the upload may go on: a refusal of a whole part would cost its bytes. */
  async #knock(jobId: string, offset: number): Promise<void> {
    const part = { offset, length: 0, content: piecesOf(new Uint8Array()) };
    await this.#options.calls().send(jobId, part, this.#signal);
    this.#isShaken = false;
  }

  async #send(jobId: string, offset: number): Promise<number> {
    const isPlain = this.#plain > 0;
    const most = isPlain ? (this.#options.partBytes ?? 64 * MIB) : CHECKED_BYTES;
    const to = Math.min(this.#file.size, offset + most);
    const checked = isPlain ? undefined : await this.#checked(offset, to);
    const content = this.#told(checked?.content ?? this.#file.read(offset, to), offset);
    const part = { offset, length: to - offset, content, sha256: checked?.sha256 };
    const now = await this.#options.calls().send(jobId, part, this.#signal);
    if (isPlain) this.#plain -= 1;
    else this.#spell = 1;
    return now;
  }

  /** Read once, so that what is hashed is what is sent; at most one such part is held. */
  async #checked(from: number, to: number): Promise<{ content: AsyncIterable<Uint8Array>; sha256: string }> {
    const bytes = new Uint8Array(to - from);
    let filled = 0;
    for await (const piece of this.#file.read(from, to)) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    // On a thread of its own.
    const digest = await webcrypto.subtle.digest('SHA-256', bytes);
    return { content: piecesOf(bytes), sha256: Buffer.from(digest).toString('base64') };
  }

  async *#told(content: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<Uint8Array> {
    let at = offset;
    for await (const piece of content) {
      yield piece;
      at += piece.length;
      this.#options.onProgress?.(at);
    }
  }

  /** Waits before the next try. @throws the error when there is none */
  async #recover(error: unknown): Promise<void> {
    const { tries = 20, pauseMs = 1_000, onWait } = this.#options;
    const isGone = error instanceof ApiError && (error.status === 404 || error.status === 410);
    if (isGone && this.#jobId !== undefined && this.#replaces === undefined) {
      this.#replaces = this.#jobId;
      this.#jobId = undefined;
      this.#reached = -1;
      return;
    }
    if (!mayTryAgain(error)) throw error;
    this.#vain += 1;
    this.#isShaken = true;
    if (this.#vain >= tries) throw error;
    if (isWireError(error)) this.#breaks();
    onWait?.(error);
    const growing = Math.min(pauseMs * 2 ** (this.#vain - 1), pauseMs * 30);
    const wanted = error instanceof ApiError ? error.retryAfterMs : undefined;
    await sleep(wanted ?? growing, undefined, { signal: this.#signal }).catch(() => undefined);
    this.#signal.throwIfAborted();
  }

  /** On a line that breaks, every byte that arrives shall stay: the next parts go without a checksum. */
  #breaks(): void {
    this.#plain = this.#spell;
    this.#spell = Math.min(this.#spell * 2, MOST_PLAIN);
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE)
    yield await Promise.resolve(bytes.subarray(at, at + PIECE));
}

/** Statuses after which the same may pass: moved offset or busy key, a bad checksum, locked, throttled, broken. */
const AGAIN = [408, 409, 423, 425, 429, 460, 500, 502, 503, 504];

function mayTryAgain(error: unknown): boolean {
  if (!(error instanceof ApiError)) return isWireError(error);
  return error.status === 409
    ? ['wrong_offset', 'idempotency_running', undefined].includes(error.code)
    : AGAIN.includes(error.status);
}
