// From a request to a place in a file: what waits is written with one system call, and little is held.
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Fault, faultOf } from '../domain/fault.js';
import { diskFault } from './disk-fault.js';

/** Bytes that may wait for the disk before the sender has to. */
const MOST_WAITING = 1024 * 1024;
/** As many as one system call takes. */
const MOST_CHUNKS = 1024;

/** A step of a limit on bandwidth: a wait, or none. */
export type Pace = (bytes: number) => Promise<void> | undefined;

export interface PumpOptions {
  readonly file: FileHandle;
  /** Where the first byte goes. */
  readonly at: number;
  /** Bytes that may come; one more is Fault `payload_too_large`. */
  readonly most: number;
  /** Longest time without a byte, ms. */
  readonly idleMs: number;
  /** Ends it; its reason is the failure. */
  readonly signal: AbortSignal;
  /** Waits until so many more bytes may be taken; undefined: at once. A rejection ends it. */
  readonly pace?: Pace;
  /** Asked right before every write. @throws what then ends it */
  mayWrite?(): void;
  /** Told after every write: bytes so far. */
  onWritten?(bytes: number): void;
}

/** How it ended; `bytes` are in the file, whatever the failure. */
export interface Pumped {
  readonly bytes: number;
  /** Fault upload_interrupted, payload_too_large, disk_full, or what `mayWrite` threw. */
  readonly failure: Fault | undefined;
}

/** Writes a request's body to its end. Lets go of the request without closing it: the answer has yet to be sent. */
export async function pump(body: Readable, options: PumpOptions): Promise<Pumped> {
  return await new Pump(body, options).run();
}

class Pump {
  readonly #body: Readable;
  readonly #options: PumpOptions;
  #waiting: Buffer[] = [];
  #held = 0;
  #came = 0;
  /** Grows with what came and with what was written: our own waits are not the client's. */
  #moves = 0;
  #written = 0;
  #writing = false;
  #ended = false;
  #failure: Fault | undefined;
  #done: () => void = () => undefined;
  #giveUp: () => void = () => undefined;
  readonly #failed = new Promise<void>((resolve) => {
    this.#giveUp = resolve;
  });

  constructor(body: Readable, options: PumpOptions) {
    this.#body = body;
    this.#options = options;
  }

  async run(): Promise<Pumped> {
    const { signal, idleMs } = this.#options;
    const stopped = (): void => this.#fail(faultOf(signal.reason) ?? new Fault('upload_interrupted'));
    let seen = -1;
    const timer = setInterval(() => {
      const isIdle = seen === this.#moves && !this.#writing;
      if (isIdle) this.#fail(interrupted(`No byte came for ${Math.round(idleMs / 1000)} seconds.`));
      seen = this.#moves;
    }, idleMs);
    timer.unref();
    const take = (chunk: Buffer): void => this.#take(chunk);
    const end = (): void => this.#end();
    const gone = (): void => {
      if (!this.#ended) this.#fail(interrupted('The client went away before the last byte.'));
    };
    const done = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    if (signal.aborted) stopped();
    signal.addEventListener('abort', stopped, { once: true });
    this.#body.on('end', end).on('close', gone).on('error', gone).on('data', take).resume();
    // The connection may have gone before anybody listened.
    if (this.#body.destroyed) gone();
    await done;
    clearInterval(timer);
    signal.removeEventListener('abort', stopped);
    this.#body.off('data', take).off('end', end).off('close', gone).off('error', gone).pause();
    this.#body.on('error', () => undefined);
    return { bytes: this.#written, failure: this.#failure };
  }

  #take(chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#came += chunk.length;
    this.#moves += 1;
    if (this.#came > this.#options.most) {
      this.#fail(
        new Fault('payload_too_large', `More than the ${this.#options.most} bytes that may come came.`),
      );
      return;
    }
    this.#waiting.push(chunk);
    this.#held += chunk.length;
    if (this.#held > MOST_WAITING) this.#body.pause();
    if (!this.#writing) void this.#write();
  }

  #end(): void {
    this.#ended = true;
    if (!this.#writing) this.#done();
  }

  /** What came before the failure is written all the same, unless the failure is that it cannot be. */
  #fail(failure: Fault): void {
    this.#failure ??= failure;
    this.#giveUp();
    if (!this.#writing) this.#done();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    const { file, at, onWritten } = this.#options;
    try {
      while (this.#waiting.length > 0) {
        const chunks = await this.#next();
        this.#held -= chunks.reduce((sum, { length }) => sum + length, 0);
        await this.#writeAll(file, chunks, at);
        onWritten?.(this.#written);
        if (this.#held < MOST_WAITING / 2 && this.#body.isPaused()) this.#body.resume();
      }
    } catch (error) {
      this.#waiting = [];
      const fault = faultOf(diskFault(error));
      this.#failure = fault ?? new Fault('internal', undefined, { cause: error });
    }
    this.#writing = false;
    this.#moves += 1;
    if (this.#ended || this.#failure !== undefined) this.#done();
  }

  /** What may be written now; after a failure, what is left at once. */
  async #next(): Promise<Buffer[]> {
    const { pace } = this.#options;
    if (pace === undefined || this.#failure !== undefined) return this.#waiting.splice(0, MOST_CHUNKS);
    return await takePaced(this.#waiting, (bytes) => {
      const wait = pace(bytes);
      return wait === undefined ? undefined : Promise.race([wait, this.#failed]);
    });
  }

  /** A short write (a full disk comes as one) is finished piece by piece. */
  async #writeAll(file: FileHandle, chunks: Buffer[], at: number): Promise<void> {
    let rest = chunks;
    while (rest.length > 0) {
      this.#options.mayWrite?.();
      const { bytesWritten } = await file.writev(rest, at + this.#written);
      this.#written += bytesWritten;
      rest = dropBytes(rest, bytesWritten);
    }
  }
}

/** Takes off the chunks what may be written now; with a limit in force one at a time. */
async function takePaced(waiting: Buffer[], pace: Pace): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
    chunks.push(chunk);
    const wait = pace(chunk.length);
    if (wait !== undefined) await wait;
    if (wait !== undefined || chunks.length === MOST_CHUNKS) break;
  }
  return chunks;
}

/** What is left of the chunks after so many bytes of them were written. */
function dropBytes(chunks: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  const rest: Buffer[] = [];
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return rest;
}

const interrupted = (detail: string): Fault => new Fault('upload_interrupted', detail);
