// Sees streams that give nothing, or far less than those beside them, and cuts them: what is left is asked for anew.
import { TryAgain } from './port.js';

/** A stream is compared with others over this long, ms. */
const WINDOW_MS = 10_000;
/** … and cut below this share of the middle one's bytes. */
const FAR_BELOW = 1 / 8;

export interface Watched {
  /** Since when the stream waits for the source, ms; undefined while it does not (it writes, or is paced). */
  waitingSince: number | undefined;
  /** Bytes since the window began. */
  bytes: number;
  /** When it was begun, ms. */
  readonly begunAt: number;
  cut(why: TryAgain): void;
}

/** Begins to watch a body. It must be dropped when it has ended. */
export function watchBody(watch: Watch, cut: (why: TryAgain) => void): Watched {
  const watched: Watched = { waitingSince: undefined, bytes: 0, begunAt: performance.now(), cut };
  watch.add(watched);
  return watched;
}

export class Watch {
  private readonly stallMs: number;
  private readonly streams = new Set<Watched>();
  private readonly timer: NodeJS.Timeout;
  private windowAt = performance.now();

  constructor(stallMs: number) {
    this.stallMs = stallMs;
    this.timer = setInterval(() => this.look(performance.now()), Math.max(20, Math.min(1_000, stallMs / 4)));
    this.timer.unref();
  }

  add(stream: Watched): void {
    this.streams.add(stream);
  }

  drop(stream: Watched): void {
    this.streams.delete(stream);
  }

  end(): void {
    clearInterval(this.timer);
  }

  /** @param now ms */
  look(now: number): void {
    for (const stream of [...this.streams]) {
      const { waitingSince } = stream;
      if (waitingSince !== undefined && now - waitingSince > this.stallMs) this.cut(stream, 'stalled');
    }
    if (now - this.windowAt < WINDOW_MS) return;
    for (const stream of slowOnes([...this.streams].filter(({ begunAt }) => begunAt <= this.windowAt))) {
      this.cut(stream, 'far slower than the others');
    }
    this.windowAt = now;
    for (const stream of this.streams) stream.bytes = 0;
  }

  private cut(stream: Watched, why: string): void {
    this.streams.delete(stream);
    stream.cut(new TryAgain('broken', { cause: new Error(`a stream was ${why}`) }));
  }
}

/** Two say nothing about which of them is the odd one. A paced stream is as slow as the limit, not as its source. */
function slowOnes(streams: readonly Watched[]): Watched[] {
  if (streams.length < 3) return [];
  const sorted = streams.map(({ bytes }) => bytes).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return streams.filter(
    ({ bytes, waitingSince }) => waitingSince !== undefined && bytes < middle * FAR_BELOW,
  );
}
