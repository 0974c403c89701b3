// The MD5 of the MD5s of a file's parts, made while the file grows. Each part is hashed by itself, so that the threads
// share them: one MD5 over the whole would be the slowest of all.
import { createHash } from 'node:crypto';
import type { PartsDigest } from './hash.js';
import { dropQueued, enqueue, type Job } from './hash-pool.js';

/** One at work and one that waits, so that other digests have their turn. */
const AT_ONCE = 2;

export interface PartsFollower {
  /** See Follower. */
  advance(upTo: number): void;
  /** Undefined when a part could not be read. */
  finish(size: number): Promise<string | undefined>;
  drop(): void;
}

export function followParts(path: string, name: PartsDigest): PartsFollower {
  return new Parts(path, Number(name.slice('md5-parts-'.length)));
}

class Parts implements PartsFollower {
  readonly #path: string;
  readonly #partBytes: number;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #digests: string[] = [];
  readonly #jobs = new Set<Job>();
  #reached = 0;
  #next = 0;
  /** Of the whole file, once it is known. */
  #size = Number.POSITIVE_INFINITY;
  #failed = false;
  #settle: () => void = () => undefined;

  constructor(path: string, partBytes: number) {
    this.#path = path;
    this.#partBytes = partBytes;
  }

  advance(upTo: number): void {
    this.#reached = Math.max(this.#reached, upTo);
    while (this.#jobs.size < AT_ONCE && !this.#failed) {
      const from = this.#next * this.#partBytes;
      const to = Math.min(from + this.#partBytes, this.#size);
      if (from >= to || to > this.#reached) return;
      this.#begin(this.#next, from, to);
      this.#next += 1;
    }
  }

  async finish(size: number): Promise<string | undefined> {
    this.#size = size;
    const count = Math.ceil(size / this.#partBytes);
    await new Promise<void>((resolve) => {
      this.#settle = () => {
        if (this.#failed || (this.#jobs.size === 0 && this.#next >= count)) resolve();
      };
      this.advance(size);
      this.#settle();
    });
    if (this.#failed) return undefined;
    const whole = createHash('md5');
    for (const digest of this.#digests) whole.update(digest, 'hex');
    return `${whole.digest('hex')}-${count}`;
  }

  drop(): void {
    this.#failed = true;
    Atomics.store(this.#stop, 0, 1);
    for (const job of [...this.#jobs]) dropQueued(job);
    this.#settle();
  }

  #begin(index: number, from: number, to: number): void {
    const over = (failed: boolean): void => {
      this.#jobs.delete(job);
      this.#failed ||= failed;
      this.advance(this.#reached);
      this.#settle();
    };
    const job: Job = {
      task: { kind: 'part', path: this.#path, from, to, algorithm: 'md5', stop: this.#stop },
      progress: () => undefined,
      done: ({ digests: { md5 = '' } }) => {
        this.#digests[index] = md5;
        over(false);
      },
      failed: () => over(true),
    };
    this.#jobs.add(job);
    enqueue(job);
  }
}
