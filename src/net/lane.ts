// A lane: a thread that takes bodies of HTTP answers from their sockets and writes them into files of this process.
// For large bodies of known length; the main loop only hears how far they are, and grants how much may come.
import { Worker } from 'node:worker_threads';
import type { PlainHead } from './http-head.js';
import type { LaneFailure, LaneNews, LaneOrder, LaneTarget } from './lane-messages.js';

/** From the tests' sources as well: a thread needs a file that Node can run. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/src/net/lane-thread.js' : './lane-thread.js',
  import.meta.url,
);

/** Where a body goes. The file must stay open until the body has ended. */
export interface LanePlace {
  /** Descriptor of a file that is open for writing. */
  readonly file: number;
  readonly offset: number;
}

/** The connection broke, the answer was none that a lane can take, or the file could not be written. */
export class LaneError extends Error {
  override readonly name = 'LaneError';
  readonly where: LaneFailure['where'];
  readonly code: string | undefined;

  constructor({ where, message, code }: LaneFailure) {
    super(message);
    this.where = where;
    this.code = code;
  }
}

/** A body whose head has come. Nothing of it is written before it is granted. */
export interface LaneBody {
  readonly head: PlainHead;
  /** Lets so many bytes more into the file. */
  grant(bytes: number): void;
  /** Bytes that were written since it was asked last, at least one; 0 at its end. @throws LaneError, what it was stopped with */
  next(): Promise<number>;
  /** Ends it early. */
  stop(reason?: Error): void;
  /** Nothing more of it will be written. Never rejects. */
  readonly ended: Promise<void>;
}

/**
 * Sends a request, whose answer's body will go into a file.
 * @param request its text
 * @throws LaneError, the signal's reason
 */
export async function openLane(
  target: LaneTarget,
  request: string,
  { file, offset }: LanePlace,
  signal: AbortSignal,
): Promise<LaneBody> {
  signal.throwIfAborted();
  const body = new Body(lane(), signal);
  body.open({ kind: 'open', target, request, file, offset });
  return await body.opened;
}

class Body implements LaneBody {
  readonly ended: Promise<void>;
  readonly opened: Promise<LaneBody>;
  #head: PlainHead | undefined;
  readonly #lane: Lane;
  readonly #id: number;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.stop(this.#signal.reason as Error);
  #written = 0;
  #isOver = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  #hasEnded: () => void = () => undefined;
  #settleOpened: { resolve: (body: LaneBody) => void; reject: (error: Error) => void } | undefined;

  constructor(lane: Lane, signal: AbortSignal) {
    this.#lane = lane;
    this.#signal = signal;
    this.#id = lane.enter((news) => this.#hear(news));
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.ended = new Promise((resolve) => {
      this.#hasEnded = resolve;
    });
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpened = { resolve, reject };
    });
  }

  get head(): PlainHead {
    if (this.#head === undefined) throw new Error('its head has not come');
    return this.#head;
  }

  open(order: Omit<Extract<LaneOrder, { kind: 'open' }>, 'id'>): void {
    this.#lane.send({ ...order, id: this.#id });
  }

  grant(bytes: number): void {
    if (!this.#isOver) this.#lane.send({ kind: 'grant', id: this.#id, bytes });
  }

  async next(): Promise<number> {
    while (this.#written === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const written = this.#written;
    this.#written = 0;
    if (written === 0 && this.#failure !== undefined) throw this.#failure;
    return written;
  }

  stop(reason?: Error): void {
    if (this.#isOver) return;
    this.#failure ??= reason;
    this.#lane.send({ kind: 'stop', id: this.#id });
  }

  #hear(news: LaneNews): void {
    if (news.kind === 'wrote') this.#written += news.bytes;
    else if (news.kind === 'head') {
      this.#head = news.head;
      this.#settleOpened?.resolve(this);
    } else this.#end(news.failure);
    this.#wake();
  }

  #end(failure: LaneFailure | undefined): void {
    this.#isOver = true;
    if (failure !== undefined) this.#failure ??= new LaneError(failure);
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#lane.leave(this.#id);
    this.#settleOpened?.reject(this.#failure ?? new Error('it was stopped'));
    this.#hasEnded();
  }
}

let current: Lane | undefined;

function lane(): Lane {
  current ??= new Lane(() => {
    current = undefined;
  });
  return current;
}

/** The thread, and who listens to it. Without anybody it does not keep the process alive. */
class Lane {
  readonly #thread = new Worker(THREAD, {
    name: 'sluice-lane',
    resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 64 },
  });
  readonly #listeners = new Map<number, (news: LaneNews) => void>();
  #count = 0;

  constructor(lost: () => void) {
    const end = (message: string): void => {
      lost();
      const failure = { where: 'connection', message, code: undefined } as const;
      for (const [id, hear] of [...this.#listeners]) hear({ kind: 'ended', id, failure });
    };
    this.#thread.on('message', (news: LaneNews) => this.#listeners.get(news.id)?.(news));
    this.#thread.on('error', ({ message }) => end(message));
    this.#thread.on('exit', () => end('the thread of the transfer ended'));
    this.#thread.unref();
  }

  enter(hear: (news: LaneNews) => void): number {
    const id = ++this.#count;
    this.#listeners.set(id, hear);
    this.#thread.ref();
    return id;
  }

  leave(id: number): void {
    this.#listeners.delete(id);
    if (this.#listeners.size === 0) this.#thread.unref();
  }

  send(order: LaneOrder): void {
    this.#thread.postMessage(order);
  }
}
