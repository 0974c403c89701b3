// Brings what was named to the server, again and again where that helps, and never makes two datasets of it.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../client/api-error.js';
import type { SendFile } from '../client/multipart.js';
import { isConnectError, isWireError, NoAnswer } from '../client/wire.js';
import type { UploadAnswer } from '../contracts/http.js';
import type { StartUpload } from '../sources/start.js';
import { contentOf } from './content.js';
import { backOff, nextStep, type Outcome } from './resend.js';
import { PATIENCE_MS, type Server } from './server.js';
import type { NamedFile } from './source.js';

/** A new dataset, in the words of the API's forms. */
export type DatasetFields = Readonly<Record<string, string>>;

export type Load =
  | { readonly kind: 'files'; readonly files: readonly NamedFile[]; readonly bytes: number }
  | { readonly kind: 'source'; readonly source: StartUpload['source'] };

export interface DeliveryHooks {
  /** Bytes of files that left, of how many. `begins`: those were there before. */
  onSent(sent: number, total: number, begins?: boolean): void;
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
  #key: string;
  #resends = 0;
  #said = '';

  /** @param key the same for the same delivery */
  constructor(
    server: Server,
    fields: DatasetFields,
    load: Load,
    hooks: DeliveryHooks,
    key: string = randomUUID(),
  ) {
    this.#key = key;
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
        const wanted = error instanceof ApiError ? error.retryAfterMs : undefined;
        await sleep(wanted ?? backOff(tries), undefined, { signal: this.#hooks.signal });
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
    this.#hooks.onSent(0, bytes, true);
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

const asSendFile = (file: NamedFile): SendFile => ({
  name: file.name,
  size: file.size,
  open: () => contentOf(file),
});

/** What a failed try means for the next one; undefined: sending again cannot help. */
export function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof ApiError) {
    return { kind: 'refused', status: error.status, code: error.code ?? 'internal' };
  }
  if (isConnectError(error)) return { kind: 'unreachable' };
  return isWireError(error) ? { kind: 'lost' } : undefined;
}

/** @param resends how often the bytes were sent again; left out where each goes on from where it broke */
export function waitWords(outcome: Outcome, resends?: number): string {
  const again = resends === undefined ? 'going on' : `sending again (${resends})`;
  switch (outcome.kind) {
    case 'unreachable':
      return 'the server does not answer; waiting for it';
    case 'lost':
      return `the connection broke; ${again}`;
    case 'failed':
      return `the upload was interrupted; ${again}`;
    case 'refused':
      if (outcome.code === 'upload_interrupted') return `the upload was interrupted; ${again}`;
      if (outcome.code === 'idempotency_running')
        return 'the server still holds the interrupted try; waiting';
      return `the server is not ready (${outcome.code}); waiting`;
  }
}
