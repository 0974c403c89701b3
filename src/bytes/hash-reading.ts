// One pass over a file, or a stretch of it, by a hashing thread.
import type { HashTask } from './hash-messages.js';
import { dropQueued, enqueue, type Home, type Job, leaveHome } from './hash-pool.js';

let count = 0;

/** Goes from its place on towards the end, a task at a time; several digests come of the same bytes. */
export class Reading {
  readonly #id = ++count;
  readonly #home: Home = { thread: undefined, lost: false };
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #path: string;
  readonly #algorithms: readonly string[];
  readonly #from: number;
  readonly #onWait: () => void;
  #job: Job | undefined;
  #isOver = false;

  /** @param algorithms names that node:crypto knows @param onWait it waits for its turn, and others advance */
  constructor(
    path: string,
    algorithms: readonly string[],
    from: number,
    onWait: () => void = () => undefined,
  ) {
    this.#path = path;
    this.#algorithms = algorithms;
    this.#from = from;
    this.#onWait = onWait;
  }

  /** @throws the system's error; when the file is shorter, when it was dropped, when its thread died */
  async read(upTo: number): Promise<void> {
    await this.#run(this.#task(upTo, false));
  }

  /** @returns hex, in the order of the algorithms @throws as `read` */
  async last(upTo: number): Promise<readonly string[]> {
    const digests = await this.#run(this.#task(upTo, true));
    this.#leave();
    return digests;
  }

  /** Nobody wants its digests. At any time. */
  drop(): void {
    Atomics.store(this.#stop, 0, 1);
    if (this.#job !== undefined) dropQueued(this.#job);
    if (this.#isOver || this.#home.thread === undefined) return;
    void this.#run({ kind: 'drop', id: this.#id }).then(
      () => this.#leave(),
      () => undefined,
    );
  }

  #leave(): void {
    this.#isOver = true;
    leaveHome(this.#home);
  }

  #task(upTo: number, isLast: boolean): HashTask {
    return {
      kind: 'read',
      id: this.#id,
      path: this.#path,
      algorithms: this.#algorithms,
      from: this.#from,
      stop: this.#stop,
      upTo,
      isLast,
    };
  }

  async #run(task: HashTask): Promise<readonly string[]> {
    const home = this.#home;
    if (home.lost) throw new Error('the hashing thread ended');
    return await new Promise((resolve, reject) => {
      const failed = (error: Error): void => {
        this.#leave();
        reject(error);
      };
      this.#job = { task, home, waits: this.#onWait, done: resolve, failed };
      enqueue(this.#job);
    });
  }
}
