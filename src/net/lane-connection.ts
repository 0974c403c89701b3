// A connection of a lane. Its socket reads into one buffer that is used again and again: a new one for every 64 KiB is
// what a body costs most otherwise.
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { LaneTarget } from './lane-messages.js';

const BUFFER_BYTES = 512 * 1024;
/** Servers close idle connections after five seconds and more. */
const IDLE_MS = 4_000;

/** Who gets what a connection brings. */
export interface Taker {
  /** @param bytes valid until it returns @returns whether more may be read now */
  take(bytes: Buffer): boolean;
  /** It was closed by the other side, or broke. */
  closed(error: Error | undefined): void;
}

const resting = new Map<string, Connection[]>();

export class Connection {
  readonly #key: string;
  readonly #socket: Socket;
  #taker: Taker | undefined;
  #uses = 1;
  #timer: NodeJS.Timeout | undefined;

  /** One that rests, or a new one. */
  static to(target: LaneTarget, taker: Taker): Connection {
    const waiting = resting.get(keyOf(target))?.pop();
    if (waiting === undefined) return Connection.fresh(target, taker);
    clearTimeout(waiting.#timer);
    waiting.#taker = taker;
    waiting.#uses += 1;
    return waiting;
  }

  static fresh(target: LaneTarget, taker: Taker): Connection {
    return new Connection(target, taker);
  }

  private constructor(target: LaneTarget, taker: Taker) {
    this.#key = keyOf(target);
    this.#taker = taker;
    const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const callback = (count: number): boolean =>
      this.#taker?.take(buffer.subarray(0, count)) ?? this.#unasked();
    this.#socket = connect(target, { buffer, callback });
    this.#socket.setNoDelay(true);
    let failure: Error | undefined;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.on('close', () => {
      this.#leave();
      this.#taker?.closed(failure);
    });
  }

  /** Whether it carried a request before this one. */
  get wasUsed(): boolean {
    return this.#uses > 1;
  }

  send(request: string): void {
    this.#socket.write(request, 'latin1');
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Waits for another request. */
  rest(): void {
    this.#taker = undefined;
    resting.set(this.#key, [...(resting.get(this.#key) ?? []), this]);
    this.#timer = setTimeout(() => this.close(), IDLE_MS);
    this.#timer.unref();
    this.#socket.resume();
  }

  close(): void {
    this.#taker = undefined;
    this.#leave();
    this.#socket.destroy();
  }

  /** Nobody asked for bytes: whatever they are, the connection is of no use any more. */
  #unasked(): boolean {
    this.close();
    return false;
  }

  #leave(): void {
    clearTimeout(this.#timer);
    const rest = (resting.get(this.#key) ?? []).filter((one) => one !== this);
    if (rest.length > 0) resting.set(this.#key, rest);
    else resting.delete(this.#key);
  }
}

function connect({ secure, host, port, addresses }: LaneTarget, onread: OnRead): Socket {
  // Whatever the name is: only these addresses were checked.
  const lookup: LookupFunction = (_name, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else if (first !== undefined) callback(null, first.address, first.family);
    else callback(new Error('no address'), '');
  };
  const [only] = addresses;
  const place = isIP(host) === 0 ? { host, lookup } : { host: only?.address ?? host };
  const options = { ...place, port, onread, autoSelectFamily: true };
  if (!secure) return connectTcp(options);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ ...options, ...servername, ALPNProtocols: ['http/1.1'] });
}

interface OnRead {
  readonly buffer: Buffer;
  readonly callback: (count: number) => boolean;
}

const keyOf = ({ secure, host, port }: LaneTarget): string =>
  `${secure ? 'https' : 'http'}://${host}:${port}`;
