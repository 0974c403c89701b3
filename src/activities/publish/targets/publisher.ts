// The port of a publish target: puts a whole product there, and proves by what it reads back that it is there.
import type { FileEntry } from '../../../contracts/claim.js';
import type { Target, TargetKind } from '../../../contracts/targets.js';

/** What there is to publish, and how to say how far it is. */
export interface Outgoing<T extends Target> {
  readonly target: T;
  readonly uuid: string;
  /** Absolute, of the published version. */
  readonly directory: string;
  /** Every file, the manifest last: who finds it finds the others. */
  readonly files: readonly FileEntry[];
  readonly signal: AbortSignal;
  /** Aborted by somebody who wants it no more; otherwise another attempt goes on with what is there. */
  isCancelled(): boolean;
  /** Bytes that were sent or found there; bytes that were read back count once more. Without a note the last one stays. */
  advance(bytes: number, note: string): void;
  /** Waits until so many more bytes may be moved (limits on bandwidth); await it for every chunk. */
  pace(bytes: number): Promise<void>;
  /** Absolute, of this copy alone; need not be there yet, and is removed in the end. */
  readonly place: string;
  /** The text of the operator's known_hosts. */
  knownHosts(): Promise<string>;
}

export interface Arrived {
  /** Where it lies, for people. */
  readonly url: string;
  /** Bytes that had to be sent. */
  readonly sent: number;
  /** Files whose content was read back and hashed. */
  readonly readBack: number;
}

export interface Publisher<T extends Target = Target> {
  readonly kind: TargetKind;
  /**
   * May be repeated: what is there already is not sent again. What the directory of the dataset holds there besides the
   * product is removed.
   * @throws Fault `target_unreachable`, `target_denied`, `target_untrusted`, `target_refused`, `target_full`,
   * `target_differs`, `product_damaged`; the signal's reason
   */
  publish(outgoing: Outgoing<T>): Promise<Arrived>;
  /**
   * A quick look at what was proven before: whether every file is there, by name and size.
   * @throws as `publish`
   */
  holds(outgoing: Outgoing<T>): Promise<boolean>;
}
