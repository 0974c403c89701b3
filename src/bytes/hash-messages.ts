// What the hashing threads are told, and what they answer: one answer to each task, in the order of the tasks.

/** The next bytes of a file, from where its last task ended. */
export interface ReadTask {
  readonly kind: 'read';
  /** The same for all tasks of one reading. */
  readonly id: number;
  readonly path: string;
  /** Where its first task begins. */
  readonly from: number;
  /** Names that node:crypto knows. */
  readonly algorithms: readonly string[];
  readonly upTo: number;
  /** The digests are told, and the reading is forgotten. */
  readonly isLast: boolean;
  /** Not 0 = stop before the next system call; the thread hears no messages while it reads. */
  readonly stop: Int32Array;
}

/** Nobody wants the digests of a reading any more. */
export interface DropTask {
  readonly kind: 'drop';
  readonly id: number;
}

export type HashTask = ReadTask | DropTask;

export type HashAnswer =
  /** Hex, in the order of the algorithms; none before the last task. */
  | { readonly kind: 'done'; readonly digests: readonly string[] }
  /** The reading is forgotten. */
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | undefined };
