// How many streams a file deserves: one more wave while the total rate grows by it, back when it does not.

const START = 2;
/** A wave of streams must bring this much more, or it goes again. */
const WORTH = 1.1;
/** After a step that brought nothing, and after a refusal, the number stays for this long, ms; doubled each time. */
const HOLD_MS = 5_000;
const LONGEST_HOLD_MS = 60_000;

/** The number of streams by measured rates. Knows no time of its own, so that it can be tested. */
export class StreamCount {
  private readonly max: number;
  private now: number;
  private before: { readonly count: number; readonly rate: number } | undefined;
  private heldUntil = 0;
  private holdMs = HOLD_MS;

  constructor(max: number) {
    this.max = Math.max(1, max);
    this.now = Math.min(START, this.max);
  }

  get wanted(): number {
    return this.now;
  }

  /** @param rate bytes a second of all streams together since the last call @param at ms */
  measured(rate: number, at: number): void {
    if (at < this.heldUntil || rate <= 0) return;
    const { before } = this;
    if (before !== undefined && rate < before.rate * WORTH) {
      this.now = before.count;
      this.before = undefined;
      this.hold(at);
      return;
    }
    if (before !== undefined) this.holdMs = HOLD_MS;
    if (this.now >= this.max) {
      this.before = undefined;
      this.hold(at);
      return;
    }
    this.before = { count: this.now, rate };
    this.now = Math.min(this.max, this.now + Math.ceil(this.now / 2));
  }

  /** The source said that it is too much (429, 5xx). */
  refused(at: number): void {
    this.now = Math.max(1, Math.floor(this.now / 2));
    this.before = undefined;
    this.hold(at);
  }

  private hold(at: number): void {
    this.heldUntil = at + this.holdMs;
    this.holdMs = Math.min(this.holdMs * 2, LONGEST_HOLD_MS);
  }
}

/** Streams of all files of a worker together. The first stream of a file is never refused. */
export class StreamBudget {
  private left: number;

  constructor(streams: number) {
    this.left = streams;
  }

  /** Whether one more may be begun; then it must be given back. */
  take(isFirst: boolean): boolean {
    if (this.left <= 0 && !isFirst) return false;
    this.left -= 1;
    return true;
  }

  give(): void {
    this.left += 1;
  }
}
