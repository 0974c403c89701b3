// Follows a dataset until nothing runs for it: events wake us, reading it tells the truth, polling covers silence.
import type { DatasetDetail } from '../contracts/http.js';
import { isSettled } from '../domain/dataset.js';
import { isFinal } from '../domain/upload.js';
import type { Server } from './server.js';

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** Sees the dataset at every change. */
  show(dataset: DatasetDetail): void;
  say(words: string): void;
  /** An upload that was just accepted: a settled state from before it does not count. */
  readonly job?: string | undefined;
}

const POLL_MS = 3_000;
/** Between two readings, however many events come. */
const GAP_MS = 150;

/** @returns the settled dataset. @throws ApiError, CliError `unreachable`, the signal's reason */
export async function follow(server: Server, uuid: string, options: FollowOptions): Promise<DatasetDetail> {
  const { signal, show, say, job } = options;
  const ending = new AbortController();
  const bell = new Bell(AbortSignal.any([signal, ending.signal]));
  const isOver = overWith(job);
  void ringAtEvents(server, uuid, bell);
  try {
    for (;;) {
      signal.throwIfAborted();
      const dataset = await server.patient((client) => client.datasets.get(uuid), { onWait: say, signal });
      const over = isOver(dataset);
      if (over || !isSettled(dataset.status)) show(dataset);
      if (over) return dataset;
      await bell.wait();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    ending.abort();
  }
}

/**
 * Whether nothing runs any more. With a job: it has ended too, or the dataset's row has moved on since the first
 * look; until then a settled row may be the one that an earlier, failed upload left.
 */
export function overWith(job: string | undefined): (dataset: DatasetDetail) => boolean {
  let first: string | undefined;
  return (dataset) => {
    const mark = `${dataset.run_id ?? ''}/${dataset.revision}`;
    first ??= mark;
    if (!isSettled(dataset.status)) return false;
    const upload = dataset.uploads.find(({ job_id }) => job_id === job);
    return job === undefined || mark !== first || (upload !== undefined && isFinal(upload.upload_status));
  };
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
