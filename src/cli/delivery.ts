// Brings what was named to the server, again and again where that helps, and never makes two datasets of it.
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../client/api-error.js';
import type { SendFile } from '../client/multipart.js';
import type { UploadAnswer } from '../contracts/http.js';
import type { StartUpload } from '../sources/start.js';
import { CliError, EXIT } from './exit.js';
import { backOff, nextStep, type Outcome } from './resend.js';
import { PATIENCE_MS, type Server } from './server.js';
import type { NamedFile } from './source.js';
import { isConnectError, isWireError, NoAnswer } from './wire.js';

/** A new dataset, in the words of the API's forms. */
export type DatasetFields = Readonly<Record<string, string>>;

export type Load =
  | { readonly kind: 'files'; readonly files: readonly NamedFile[]; readonly bytes: number }
  | { readonly kind: 'source'; readonly source: StartUpload['source'] };

export interface DeliveryHooks {
  /** Bytes of files that left, of how many. */
  onSent(sent: number, total: number): void;
  /** Why it waits, or sends again. */
  say(words: string): void;
  /** Aborted: the user wants to stop. */
  readonly signal: AbortSignal;
}

/** Longest time in which no byte leaves and no answer comes, milliseconds. */
const STALL_MS = 120_000;

export class Delivery {
  readonly #server: Server;
  readonly #load: Load;
  readonly #hooks: DeliveryHooks;
  #fields: DatasetFields;
  #key = randomUUID();
  #resends = 0;
  #said = '';

  constructor(server: Server, fields: DatasetFields, load: Load, hooks: DeliveryHooks) {
    this.#server = server;
    this.#fields = fields;
    this.#load = load;
    this.#hooks = hooks;
  }

  /** @throws ApiError, CliError, a wire error when it does not come about; the signal's reason */
  async send(): Promise<UploadAnswer> {
    let waitingSince: number | undefined;
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#once();
      } catch (error) {
        this.#hooks.signal.throwIfAborted();
        const outcome = outcomeOf(error);
        const step = outcome === undefined ? undefined : nextStep(outcome, this.#resends);
        if (outcome === undefined || step?.do !== 'repeat') throw error;
        waitingSince = step.counts ? undefined : (waitingSince ?? Date.now());
        if (waitingSince !== undefined && Date.now() - waitingSince > PATIENCE_MS) throw error;
        if (step.counts) this.#resends += 1;
        this.#say(waitWords(outcome, this.#resends));
        await sleep(backOff(tries), undefined, { signal: this.#hooks.signal });
        this.#server.relocate();
      }
    }
  }

  /** After an accepted upload failed: whether it is worth sending again; if so, `send` replaces it. */
  mayReplace(failed: { code: string; job: string; dataset: string }): boolean {
    const outcome = { kind: 'failed', code: failed.code } as const;
    if (this.#load.kind !== 'files' || nextStep(outcome, this.#resends).do !== 'replace') return false;
    this.#resends += 1;
    this.#key = randomUUID();
    this.#fields = { dataset: failed.dataset, replaces: failed.job };
    this.#say(waitWords(outcome, this.#resends));
    return true;
  }

  /** The same words once, however often they are true. */
  #say(words: string): void {
    if (words !== this.#said) this.#hooks.say(words);
    this.#said = words;
  }

  async #once(): Promise<UploadAnswer> {
    const load = this.#load;
    if (load.kind === 'files') return await this.#sendFiles(load);
    const body = { ...this.#fields, source: load.source } as StartUpload;
    return await this.#server.call((client) => client.uploads.start(body, this.#key));
  }

  async #sendFiles({ files, bytes }: Load & { kind: 'files' }): Promise<UploadAnswer> {
    const ending = new AbortController();
    let sent = 0;
    // After the last byte the answer is worth waiting for: it says where to watch.
    const stop = (): void => {
      if (sent < bytes) ending.abort(this.#hooks.signal.reason);
    };
    this.#hooks.signal.addEventListener('abort', stop, { once: true });
    stopAtOnce(this.#hooks.signal, stop);
    const stalled = setTimeout(() => ending.abort(new NoAnswer(STALL_MS)), STALL_MS);
    const onProgress = (now: number): void => {
      sent = now;
      stalled.refresh();
      this.#hooks.onSent(now, bytes);
    };
    this.#hooks.onSent(0, bytes);
    try {
      const { client } = this.#server;
      const options = { onProgress, signal: ending.signal, idempotencyKey: this.#key };
      return await client.uploads.sendFiles(files.map(asSendFile), this.#fields, options);
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error;
    } finally {
      clearTimeout(stalled);
      this.#hooks.signal.removeEventListener('abort', stop);
    }
  }
}

function stopAtOnce(signal: AbortSignal, stop: () => void): void {
  if (signal.aborted) stop();
}

const CHUNK = 1024 * 1024;

function asSendFile(file: NamedFile): SendFile {
  return { name: file.name, size: file.size, open: () => contentOf(file) };
}

/** Exactly the bytes that were announced, of a file that stayed the same. */
async function* contentOf({ path, size, mtimeMs }: NamedFile): AsyncGenerator<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    for (let at = 0; at < size; ) {
      const length = Math.min(CHUNK, size - at);
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at);
      if (bytesRead === 0) throw changed(path);
      at += bytesRead;
      // The last piece only after the look at the file: without it the form stays incomplete and counts for nothing.
      if (at === size) await requireSame(handle, { path, size, mtimeMs });
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function requireSame(
  handle: Awaited<ReturnType<typeof open>>,
  { path, size, mtimeMs }: Pick<NamedFile, 'path' | 'size' | 'mtimeMs'>,
): Promise<void> {
  const now = await handle.stat();
  if (now.size !== size || now.mtimeMs !== mtimeMs) throw changed(path);
}

const changed = (path: string): CliError =>
  new CliError(
    EXIT.content,
    'file_changed',
    `${path} changed while it was sent; nothing was published.`,
    'Send it when it is complete.',
  );

/** What a failed try means for the next one; undefined: sending again cannot help. */
export function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof ApiError) {
    return { kind: 'refused', status: error.status, code: error.code ?? 'internal' };
  }
  if (isConnectError(error)) return { kind: 'unreachable' };
  return isWireError(error) ? { kind: 'lost' } : undefined;
}

function waitWords(outcome: Outcome, resends: number): string {
  switch (outcome.kind) {
    case 'unreachable':
      return 'the server does not answer; waiting for it';
    case 'lost':
      return `the connection broke; sending again (${resends})`;
    case 'failed':
      return `the upload was interrupted; sending again (${resends})`;
    case 'refused':
      if (outcome.code === 'upload_interrupted')
        return `the upload was interrupted; sending again (${resends})`;
      if (outcome.code === 'idempotency_running')
        return 'the server still holds the interrupted try; waiting';
      return `the server is not ready (${outcome.code}); waiting`;
  }
}
