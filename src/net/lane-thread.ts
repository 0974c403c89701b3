// The thread of a lane: bodies of HTTP answers from their sockets straight into files, through one buffer a connection.
// Writing waits for the disk here, where nobody else waits.
import { writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type PlainHead, readHead } from './http-head.js';
import { Connection, type Taker } from './lane-connection.js';
import type { LaneFailure, LaneNews, LaneOrder } from './lane-messages.js';

/** News of written bytes are gathered up to so many … */
const TOLD_BYTES = 1024 * 1024;
/** … or for so long, ms. */
const TOLD_MS = 100;
const LONGEST_HEAD = 64 * 1024;

type Opening = Extract<LaneOrder, { kind: 'open' }>;

const streams = new Map<number, Stream>();
let ticking: NodeJS.Timeout | undefined;

/** One body on its way. */
class Stream implements Taker {
  readonly #order: Opening;
  #connection: Connection;
  #head: PlainHead | undefined;
  /** What came and was not granted yet; before the head is whole, its beginning. */
  #rest: Buffer = Buffer.alloc(0);
  #credit = 0;
  #left = 0;
  #at: number;
  #untold = 0;

  constructor(order: Opening) {
    this.#order = order;
    this.#at = order.offset;
    this.#connection = Connection.to(order.target, this);
    this.#connection.send(order.request);
  }

  grant(bytes: number): void {
    this.#credit += bytes;
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    if (this.#put(rest)) this.#connection.resume();
  }

  /** Its socket gave bytes, in a buffer that will be used again. @returns whether it may go on reading */
  take(bytes: Buffer): boolean {
    if (this.#head !== undefined) return this.#put(bytes);
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#rest.length > LONGEST_HEAD) this.#fail('answer', new Error('a head without an end'));
      return !this.#isOver;
    }
    const head = readHead(this.#rest.toString('latin1', 0, end));
    if (head === undefined) {
      this.#fail('answer', new Error('no plain answer'));
      return false;
    }
    this.#head = head;
    this.#left = head.length;
    this.#rest = this.#rest.subarray(end + 4);
    tell({ kind: 'head', id: this.#order.id, head });
    return false;
  }

  closed(error: Error | undefined): void {
    // A connection that was used before may have been let go by its server while this request was on its way.
    if (this.#connection.wasUsed && this.#head === undefined && this.#rest.length === 0) {
      this.#connection = Connection.fresh(this.#order.target, this);
      this.#connection.send(this.#order.request);
      return;
    }
    this.#fail('connection', error ?? new Error('other side closed'));
  }

  stop(): void {
    this.#end(undefined, false);
  }

  tell(): void {
    if (this.#untold === 0) return;
    tell({ kind: 'wrote', id: this.#order.id, bytes: this.#untold });
    this.#untold = 0;
  }

  get #isOver(): boolean {
    return !streams.has(this.#order.id);
  }

  /** Writes what is granted, keeps the rest. @returns whether more may be read */
  #put(bytes: Buffer): boolean {
    const ours = bytes.subarray(0, Math.min(bytes.length, this.#left));
    const now = ours.subarray(0, this.#credit);
    try {
      this.#write(now);
    } catch (error) {
      this.#fail('disk', error);
      return false;
    }
    if (this.#left === 0) {
      this.#end(undefined, ours.length === bytes.length && this.#head?.keepAlive === true);
      // It may carry another request: whatever comes before that is its end.
      return true;
    }
    if (now.length < ours.length) this.#rest = Buffer.from(ours.subarray(now.length));
    return this.#credit > 0;
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(this.#order.file, bytes, at, bytes.length - at, this.#at + at);
    }
    this.#at += bytes.length;
    this.#credit -= bytes.length;
    this.#left -= bytes.length;
    this.#untold += bytes.length;
    if (this.#untold >= TOLD_BYTES) this.tell();
  }

  #fail(where: LaneFailure['where'], error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    this.#end({ where, code, message: error instanceof Error ? error.message : String(error) }, false);
  }

  #end(failure: LaneFailure | undefined, mayServeAgain: boolean): void {
    if (this.#isOver) return;
    streams.delete(this.#order.id);
    if (mayServeAgain) this.#connection.rest();
    else this.#connection.close();
    this.tell();
    tell({ kind: 'ended', id: this.#order.id, failure });
    if (streams.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  }
}

function tell(news: LaneNews): void {
  parentPort?.postMessage(news);
}

function begin(order: Opening): void {
  try {
    streams.set(order.id, new Stream(order));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ kind: 'ended', id: order.id, failure: { where: 'connection', message, code: undefined } });
  }
}

function obey(order: LaneOrder): void {
  if (order.kind === 'open') {
    ticking ??= setInterval(() => {
      for (const stream of streams.values()) stream.tell();
    }, TOLD_MS);
    begin(order);
  } else if (order.kind === 'grant') streams.get(order.id)?.grant(order.bytes);
  else streams.get(order.id)?.stop();
}

parentPort?.on('message', obey);
