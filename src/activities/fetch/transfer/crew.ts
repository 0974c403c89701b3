// Runs a changing number of equal workers on one list of work; one failure stops them all.
import { allowManyListeners } from '../../../net/many-listeners.js';
import type { StreamBudget, StreamCount } from './stream-count.js';

/** How often the rate is measured, ms. Long enough for a new stream to be asked for, answered and under way. */
const MEASURE_MS = 400;

export interface Crew {
  readonly count: StreamCount;
  readonly budget: StreamBudget | undefined;
  readonly signal: AbortSignal;
  /** Bytes that have come so far, of all streams. */
  moved(): number;
  /** Does one piece of work; false when there was none left. */
  work(signal: AbortSignal): Promise<boolean>;
}

/** @throws the first failure, after all have ended */
export async function runCrew(crew: Crew): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([crew.signal, stop.signal]);
  // Each request in flight listens.
  allowManyListeners(signal);
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let exhausted = false;

  const one = async (): Promise<void> => {
    try {
      while (running.size <= crew.count.wanted && failures.length === 0) {
        if (await crew.work(signal)) continue;
        exhausted = true;
        return;
      }
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    } finally {
      crew.budget?.give();
    }
  };
  const grow = (): void => {
    while (!exhausted && failures.length === 0 && running.size < crew.count.wanted) {
      if (crew.budget?.take(running.size === 0) === false) return;
      const worker = one().finally(() => running.delete(worker));
      running.add(worker);
    }
  };

  const meter = measure(crew, grow);
  try {
    grow();
    // Those that join meanwhile are waited for as well.
    while (running.size > 0) {
      await Promise.race(running);
      grow();
    }
  } finally {
    clearInterval(meter);
  }
  if (failures.length > 0) throw failures[0];
}

function measure({ count, moved }: Crew, grow: () => void): NodeJS.Timeout {
  let [last, lastAt] = [moved(), performance.now()];
  return setInterval(() => {
    const [bytes, at] = [moved(), performance.now()];
    count.measured(((bytes - last) / (at - lastAt)) * 1000, at);
    [last, lastAt] = [bytes, at];
    grow();
  }, MEASURE_MS);
}
