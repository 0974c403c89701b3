// Follows a dataset until nothing runs for it: events wake us, reading it tells the truth, polling covers silence.
import type { DatasetDetail } from '../contracts/http.js';
import { isSettled } from '../domain/dataset.js';
import type { Server } from './server.js';

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** Sees the dataset at every change. */
  show(dataset: DatasetDetail): void;
  say(words: string): void;
  /** A settled state that was there before: what is followed has not begun while it shows. */
  readonly stale?: string | undefined;
}

const POLL_MS = 3_000;
/** Between two readings, however many events come. */
const GAP_MS = 150;

/** Tells one state of a dataset from another. */
export const markOf = ({ run_id, revision }: DatasetDetail): string => `${run_id ?? ''}/${revision}`;

/** @returns the settled dataset. @throws ApiError, CliError `unreachable`, the signal's reason */
export async function follow(server: Server, uuid: string, options: FollowOptions): Promise<DatasetDetail> {
  const { signal, show, say, stale } = options;
  const ending = new AbortController();
  const bell = new Bell(AbortSignal.any([signal, ending.signal]));
  void ringAtEvents(server, uuid, bell);
  try {
    for (;;) {
      signal.throwIfAborted();
      const dataset = await server.patient((client) => client.datasets.get(uuid), { onWait: say, signal });
      const fresh = markOf(dataset) !== stale;
      if (fresh || !isSettled(dataset.status)) show(dataset);
      if (fresh && isSettled(dataset.status)) return dataset;
      await bell.wait();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    ending.abort();
  }
}

/** Events only wake: a stream that cannot be had leaves the polling. */
async function ringAtEvents(server: Server, uuid: string, bell: Bell): Promise<void> {
  try {
    for await (const _event of server.client.events({ dataset: uuid }, bell.signal)) bell.ring();
  } catch {
    // Refused for good: the polling goes on.
  }
}

class Bell {
  readonly signal: AbortSignal;
  #rung = false;
  #wake: () => void = () => undefined;

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener('abort', () => this.ring(), { once: true });
  }

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Until it rings, or it is time to look anyway. */
  async wait(): Promise<void> {
    await this.#pause(GAP_MS, () => this.signal.aborted);
    await this.#pause(POLL_MS, () => this.#rung);
    this.#rung = false;
  }

  #pause(ms: number, over: () => boolean): Promise<void> {
    if (over()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!over()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
