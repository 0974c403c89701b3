// Hashing a file while it grows: its bytes are read back from the page cache behind the writer.
import { Reading } from './hash-reading.js';

const MIB = 1024 * 1024;
/** Short enough for others to have their turn. */
const LONGEST_SLICE = 64 * MIB;

export interface FollowOptions {
  /** Where the bytes begin that count. */
  readonly from?: number;
  /** Fewer new bytes are not worth the way to the thread. */
  readonly least?: number;
  /** Bytes of the file that were read, after each slice; 0: it waits for its turn, and others advance. */
  readonly onProgress?: (bytes: number) => void;
}

/** The digests of one file, made behind its writer. */
export class DigestFollower {
  readonly #reading: Reading;
  readonly #least: number;
  readonly #onProgress: (bytes: number) => void;
  #wanted: number;
  #read: number;
  #working: Promise<void> | undefined;
  #failure: Error | undefined;
  #isOver = false;

  /** @param algorithms names that node:crypto knows */
  constructor(path: string, algorithms: readonly string[], options: FollowOptions = {}) {
    const { from = 0, least = MIB, onProgress = () => undefined } = options;
    this.#reading = new Reading(path, algorithms, from, () => onProgress(0));
    this.#least = least;
    this.#onProgress = onProgress;
    this.#wanted = from;
    this.#read = from;
  }

  /** The bytes up to here lie in the file and stay as they are. */
  advance(upTo: number): void {
    this.#wanted = Math.max(this.#wanted, upTo);
    if (this.#isOver || this.#working !== undefined || this.#failure !== undefined) return;
    if (this.#wanted - this.#read >= this.#least) this.#working = this.#work();
  }

  /**
   * The digests of everything up to there, hex, in the order of the algorithms. Once.
   * @throws the system's error; when the file is shorter, when it was dropped, when its thread died
   */
  async finish(upTo: number): Promise<readonly string[]> {
    await this.#working;
    this.#wanted = upTo;
    while (upTo - this.#read > LONGEST_SLICE && this.#failure === undefined) await this.#slice();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isOver) throw new Error('nobody follows this file any more');
    this.#isOver = true;
    const digests = await this.#reading.last(upTo);
    if (upTo > this.#read) this.#onProgress(upTo);
    return digests;
  }

  /** Nobody wants it any more. At any time, also after the end. */
  drop(): void {
    this.#isOver = true;
    this.#failure ??= new Error('the digest is not wanted any more');
    this.#reading.drop();
  }

  async #work(): Promise<void> {
    while (this.#wanted - this.#read >= this.#least && this.#failure === undefined) await this.#slice();
    this.#working = undefined;
  }

  /** A failure is kept for the end. */
  async #slice(): Promise<void> {
    const upTo = Math.min(this.#wanted, this.#read + LONGEST_SLICE);
    try {
      await this.#reading.read(upTo);
      this.#read = upTo;
      this.#onProgress(upTo);
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }
}
