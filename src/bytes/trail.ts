// A digest of a file that is made while the file grows: a thread reads behind the writer, from the page cache.
import { Worker } from 'node:worker_threads';
import { TRAIL_THREAD_CODE, type TrailAnswer, type TrailTask } from './trail-thread.js';

const THREADS = 2;
/** The thread is told of new bytes when there are so many, and when it has read what it was told before. */
const STEP = 1024 * 1024;

export type TrailAlgorithm = 'sha256' | 'sha1' | 'md5';

/** One file being hashed from a place on. */
export class Trail {
  readonly #id: number;
  readonly #thread: Thread;
  #told: number;
  #reached: number;
  #isBusy = false;
  #failure: Error | undefined;
  #settle: { resolve: (hex: string) => void; reject: (error: Error) => void } | undefined;

  constructor(path: string, algorithm: TrailAlgorithm = 'sha256', from = 0) {
    this.#id = ++count;
    this.#told = from;
    this.#reached = from;
    this.#thread = leastBusy();
    this.#thread.follow(this.#id, (answer) => this.#hear(answer));
    this.#thread.send({ kind: 'open', id: this.#id, path, from, algorithm });
  }

  /** The file has its bytes up to here. */
  reach(to: number): void {
    this.#reached = to;
    if (this.#isBusy || to - this.#told < STEP || this.#failure !== undefined) return;
    this.#isBusy = true;
    this.#told = to;
    this.#thread.send({ kind: 'reach', id: this.#id, to });
  }

  /** Hex, of everything up to `to`. Once. @throws when the file cannot be read */
  async finish(to: number): Promise<string> {
    this.reach(to);
    return await new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#settle = { resolve, reject };
      this.#thread.send({ kind: 'finish', id: this.#id, to });
    });
  }

  /** Forgets it. May be called at any time. */
  drop(): void {
    this.#failure ??= new Error('the digest is not wanted any more');
    this.#settle?.reject(this.#failure);
    this.#thread.leave(this.#id);
  }

  #hear(answer: TrailAnswer): void {
    if (answer.kind === 'reached') {
      this.#isBusy = false;
      this.reach(this.#reached);
      return;
    }
    this.#thread.leave(this.#id);
    if (answer.kind === 'digest') {
      this.#settle?.resolve(answer.hex);
      return;
    }
    this.#failure ??= new Error(answer.message);
    this.#settle?.reject(this.#failure);
  }
}

let count = 0;
const threads: Thread[] = [];

function leastBusy(): Thread {
  const idle = threads.find((thread) => thread.size === 0);
  if (idle !== undefined) return idle;
  if (threads.length < THREADS) {
    const thread = new Thread();
    threads.push(thread);
    return thread;
  }
  return threads.reduce((least, thread) => (thread.size < least.size ? thread : least));
}

class Thread {
  readonly #worker = new Worker(TRAIL_THREAD_CODE, {
    eval: true,
    name: 'sluice-trail',
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 },
  });
  readonly #heard = new Map<number, (answer: TrailAnswer) => void>();

  constructor() {
    this.#worker.on('message', (answer: TrailAnswer) => this.#heard.get(answer.id)?.(answer));
    this.#worker.on('error', ({ message }) => this.#lost(message));
    this.#worker.on('exit', () => this.#lost('the hashing thread ended'));
    this.#worker.unref();
  }

  get size(): number {
    return this.#heard.size;
  }

  follow(id: number, hear: (answer: TrailAnswer) => void): void {
    this.#heard.set(id, hear);
    this.#worker.ref();
  }

  leave(id: number): void {
    if (!this.#heard.delete(id)) return;
    this.send({ kind: 'drop', id });
    if (this.#heard.size === 0) this.#worker.unref();
  }

  send(task: TrailTask): void {
    this.#worker.postMessage(task);
  }

  #lost(message: string): void {
    const at = threads.indexOf(this);
    if (at >= 0) threads.splice(at, 1);
    for (const [id, hear] of [...this.#heard]) hear({ kind: 'failed', id, message });
  }
}
