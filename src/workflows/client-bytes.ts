// An upload whose bytes a client sends piece by piece: it waits until they are whole, and not for ever.
import { condition, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { UploadInput, UploadOrder } from '../contracts/workflow.js';
import { noteFailure } from '../domain/failure.js';
import { closingFailure } from './failures.js';
import { bytesWholeSignal } from './messages.js';
import { lookAtUpload } from './proxies.js';

/**
 * The first look comes soon: whoever cancelled it may have done so before a Reset. The next one comes because a word of
 * the API may be lost, each further one after twice the time.
 */
const FIRST_LOOK_MS = 10_000;
const NEXT_LOOK_MS = 300_000;

export class ClientBytes {
  /** What is to be fetched: what was received, as soon as that is known. */
  order: UploadOrder;
  readonly #uuid: string;
  #lookInMs = FIRST_LOOK_MS;
  #leftMs = Number.POSITIVE_INFINITY;

  constructor({ uuid, order }: Pick<UploadInput, 'uuid' | 'order'>) {
    this.order = order;
    this.#uuid = uuid;
    if (order.source.kind === 'awaited') this.#leftMs = order.source.expiresAfterMs;
    setHandler(bytesWholeSignal, (source) => {
      if (this.awaited) this.order = { ...this.order, source };
    });
  }

  get awaited(): boolean {
    return this.order.source.kind === 'awaited';
  }

  /** Until the bytes are whole or something else is asked of the upload. @throws upload_expired */
  async wait(interrupted: () => boolean): Promise<void> {
    const { jobId, source } = this.order;
    if (source.kind !== 'awaited') return;
    setCurrentDetails('Waits for the bytes that its client sends.');
    const came = await condition(
      () => !this.awaited || interrupted(),
      Math.min(this.#lookInMs, this.#leftMs),
    );
    if (!came) await this.#look(jobId, source.expiresAfterMs);
    setCurrentDetails('');
  }

  async #look(jobId: string, expiresAfterMs: number): Promise<void> {
    const since = workflowInfo().startTime.getTime();
    const seen = await lookAtUpload({ uuid: this.#uuid, jobId, expiresAfterMs, since });
    this.#lookInMs = Math.max(NEXT_LOOK_MS, this.#lookInMs * 2);
    if (!this.awaited) return;
    if (seen.state === 'expired') throw closingFailure(noteFailure('upload_expired'), 'fetch');
    if (seen.state === 'whole') this.order = { ...this.order, source: seen.source };
    else this.#leftMs = seen.leftMs;
  }
}
