// What one transfer works with.
import type { FileFollower } from '../../../bytes/hash.js';
import type { Owner } from '../../../bytes/journal.js';
import type { TransferSettings } from '../source.js';
import type { Opened, RangeOpener } from './port.js';

export interface TransferJob<O extends Opened> {
  readonly opener: RangeOpener<O>;
  readonly settings: TransferSettings;
  /** The partial file. */
  readonly path: string;
  readonly owner: Owner;
  readonly signal: AbortSignal;
  /** See FetchContext.pace. */
  pace(bytes: number): Promise<void>;
  advance(done: number, total: number): void;
  /** See FetchContext.admit; left out: it was asked for all files together. */
  admit?(bytes: number): Promise<void>;
  /** Hashes the file while it grows; asked for anew when it begins anew. */
  follow?(first: O): FileFollower | undefined | Promise<FileFollower | undefined>;
}
