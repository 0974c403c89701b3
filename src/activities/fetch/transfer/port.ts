// The port of the transfer engine: anything that can open a range of bytes of one file, and what it may answer.
import type { Readable } from 'node:stream';
import type { Validator } from '../../../bytes/journal.js';
import type { Range } from '../../../bytes/ranges.js';
import type { FailureCode } from '../../../domain/failure.js';
import type { LaneBody } from '../../../net/lane.js';

/** One file somewhere, of which ranges can be opened; several at the same time. */
export interface RangeOpener<O extends Opened = Opened> {
  /** Who gives the bytes, for messages: a host, a bucket. Never a secret. */
  readonly host: string;
  /** Codes for giving up, where those of the source `url` do not fit. */
  readonly codes?: Partial<Readonly<Record<GivenUp, FailureCode>>>;
  /**
   * @param asked undefined = the whole. The answer may bring the whole although a range was asked for (`partial`
   *   false), or another end; it must begin where the range begins, or at 0 when it is the whole
   * @param validator the version that the bytes before were of: the source may refuse another one by itself
   *   (SourceChanged) or answer with the other one's validator
   * @throws TryAgain, SourceChanged, Fault; any other error counts as a broken connection
   */
  open(asked: Range | undefined, validator: Validator | undefined, signal: AbortSignal): Promise<O>;
  /**
   * A further range of a file of which `first` proved that it can send ranges, straight into the file beside the main
   * loop. Left out, or failed: `open` is asked.
   * @param file descriptor of the file that it goes into
   * @returns what came, whatever it is of; the engine reads it or stops it
   * @throws LaneError and others: all count as a broken connection
   */
  aside?(asked: Range, first: O, file: number, signal: AbortSignal): Promise<Aside>;
}

/** Bytes that are coming beside the main loop. */
export interface Aside {
  readonly body: LaneBody;
  readonly range: Range;
  readonly validator: Validator;
}

/** Bytes that are coming. The engine reads the body or destroys it. */
export interface Opened {
  readonly body: Readable;
  /** What the body brings; end Infinity = until it ends. */
  readonly range: Range;
  /** Whether the source proved that it can send ranges. */
  readonly partial: boolean;
  /** Of which version the bytes are; `size` = bytes of the whole file, if known. */
  readonly validator: Validator;
}

/** Why the engine gave up after too many tries in vain. */
export type GivenUp = 'short' | 'broken' | 'unknown host' | 'changed';

/** The transfer ended early: try again. `short` = the source closed in order before the announced end. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
  readonly how: Exclude<GivenUp, 'changed'>;
  /** What the source asks to wait, ms. */
  readonly afterMs: number | undefined;

  /** The source has too much to do: ask with fewer streams. */
  readonly tooMuch: boolean;

  constructor(
    how: TryAgain['how'],
    options: { afterMs?: number | undefined; tooMuch?: boolean; cause?: unknown } = {},
  ) {
    super(`the transfer is ${how}`, { cause: options.cause });
    this.how = how;
    this.afterMs = options.afterMs;
    this.tooMuch = options.tooMuch ?? options.afterMs !== undefined;
  }
}

/** The source is another version than the bytes that lie here. */
export class SourceChanged extends Error {
  override readonly name = 'SourceChanged';
}

/** Whether two answers are of one version, as far as they tell; not telling counts as no. */
export function sameVersion(before: Validator, now: Validator): boolean {
  if (before.size !== undefined && now.size !== undefined && before.size !== now.size) return false;
  if (before.etag !== undefined && now.etag !== undefined) return before.etag === now.etag;
  return before.lastModified !== undefined && before.lastModified === now.lastModified;
}

/** Whether bytes of several answers can be proven to belong together. */
export const isProvable = (validator: Validator): boolean => sameVersion(validator, validator);
