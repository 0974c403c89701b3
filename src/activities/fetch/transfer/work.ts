// Which bytes of a file are still to be fetched, and by whom: pieces from the front, and at the end a share of another's.
import type { Range } from '../../../bytes/ranges.js';

/** A rest smaller than this is not worth a request of its own, bytes. */
const WORTH_SHARING = 2 * 1024 * 1024;

/** What one stream is at. `end` may move forward to `at` while it works: somebody else took the rest. */
export interface Span {
  /** The next byte that nobody has taken in yet. */
  at: number;
  end: number;
}

export class Work {
  private readonly gaps: { start: number; end: number }[];
  private readonly pieceBytes: number;
  private readonly active = new Set<Span>();

  constructor(gaps: readonly Range[], pieceBytes: number) {
    this.gaps = gaps.map((gap) => ({ ...gap }));
    this.pieceBytes = pieceBytes;
  }

  /** The next piece, or the second half of the largest rest; undefined when nothing is left to begin. */
  take(): Span | undefined {
    const span = this.fromGaps() ?? this.share();
    if (span !== undefined) this.active.add(span);
    return span;
  }

  done(span: Span): void {
    this.active.delete(span);
  }

  private fromGaps(): Span | undefined {
    const [gap] = this.gaps;
    if (gap === undefined) return undefined;
    const span = { at: gap.start, end: Math.min(gap.end, gap.start + this.pieceBytes) };
    gap.start = span.end;
    if (gap.start >= gap.end) this.gaps.shift();
    return span;
  }

  private share(): Span | undefined {
    let largest: Span | undefined;
    for (const span of this.active) {
      if (largest === undefined || span.end - span.at > largest.end - largest.at) largest = span;
    }
    if (largest === undefined || largest.end - largest.at <= 2 * WORTH_SHARING) return undefined;
    const middle = largest.at + Math.ceil((largest.end - largest.at) / 2);
    const span = { at: middle, end: largest.end };
    largest.end = middle;
    return span;
  }
}
