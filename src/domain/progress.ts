// Progress of bytes, as a stage measured it.
import type { Stage } from './stage.js';

/** A measured position in a stage; `unit` says what `done` and `total` count. total 0 = not known yet. */
export interface Progress {
  readonly stage: Stage;
  readonly done: number;
  readonly total: number;
  readonly unit: 'bytes' | 'files' | 'blocks';
  /** The file at hand, or another short note for people. */
  readonly note?: string;
}

/** Share that is done, 0..1; 0 while the total is unknown. */
export function fraction(progress: Progress): number {
  return progress.total > 0 ? Math.min(progress.done / progress.total, 1) : 0;
}

/**
 * Speed and time left between two samples of one stage.
 * @returns MB/s (10^6 bytes) and seconds; undefined where the samples do not tell
 */
export function rate(
  first: { at: number; done: number },
  last: { at: number; done: number; total: number },
): { mbPerSecond?: number; etaSeconds?: number } {
  const seconds = (last.at - first.at) / 1000;
  const moved = last.done - first.done;
  if (seconds <= 0 || moved <= 0) return {};
  const perSecond = moved / seconds;
  const mbPerSecond = perSecond / 1e6;
  if (last.total <= 0) return { mbPerSecond };
  return { mbPerSecond, etaSeconds: Math.max(0, (last.total - last.done) / perSecond) };
}
