// Peers of the transfer benches: a web server that gives a file of any size, and a line that is slow and far away.
import { once } from 'node:events';
import { createServer as createWeb, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const MIB = 1024 * 1024;
/** Repeated with a period that fits no piece, so that a byte in a wrong place changes the digest. */
const PATTERN = Buffer.alloc(MIB + 4099, 'sluice measures transfers 0123456789 ');

/** GET gives `bytes` bytes, with ranges. */
export async function giveFile(port: number, [bytes = '0']: readonly string[]): Promise<void> {
  const size = Number(bytes);
  const server = createWeb((request, response) => {
    if (request.url === '/ready') response.end('ready');
    else give(size, request, response).catch(() => response.destroy());
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
}

async function give(size: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(from ?? 0);
  const end = to === undefined || to === '' ? size : Math.min(size, Number(to) + 1);
  response.writeHead(from === undefined ? 200 : 206, {
    'content-length': end - start,
    'accept-ranges': 'bytes',
    etag: '"one"',
    ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  });
  // Woken by either; one pair of listeners for the whole body.
  let wake: () => void = () => undefined;
  response.on('drain', () => wake()).on('close', () => wake());
  for (let at = start; at < end && !response.destroyed; ) {
    const inside = at % PATTERN.length;
    const piece = PATTERN.subarray(inside, Math.min(PATTERN.length, inside + 256 * 1024, inside + end - at));
    at += piece.length;
    const drained = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (!response.write(piece)) await drained;
  }
  response.end();
}

/** Passes connections on to another port: each way takes half of `delayMs` longer, and each connection has a limit. */
export async function slowLine(
  port: number,
  [target = '0', delayMs = '0', bytesPerSecond = '0']: readonly string[],
): Promise<void> {
  const delay = Number(delayMs) / 2;
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: Number(target), host: '127.0.0.1', noDelay: true });
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
    void pass(near, far, delay, Number.POSITIVE_INFINITY);
    void pass(far, near, delay, Number(bytesPerSecond));
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
}

/** Each piece leaves a delay after it came, and not before the ones ahead of it have taken their time. */
async function pass(from: Socket, to: Socket, delay: number, bytesPerSecond: number): Promise<void> {
  const line = new Line(to);
  let free = performance.now();
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const now = performance.now();
      free = Math.max(free, now + delay) + (chunk.length / bytesPerSecond) * 1000;
      line.send(chunk, free);
      // As much is under way as fits into the delay, and a little that a sender may have ready.
      const ahead = free - now - delay - 20;
      if (ahead > 1) await sleep(ahead);
      if (to.destroyed) break;
    }
  } catch {
    // The other end is told below.
  }
  line.send(undefined, free);
}

/** Pieces leave in the order in which they came; timers of their own would overtake each other. */
class Line {
  readonly #to: Socket;
  readonly #waiting: { chunk: Buffer | undefined; at: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(to: Socket) {
    this.#to = to;
  }

  /** @param chunk undefined = the end @param at ms */
  send(chunk: Buffer | undefined, at: number): void {
    this.#waiting.push({ chunk, at });
    this.#timer ??= setTimeout(() => this.#leave(), Math.max(0, at - performance.now()));
  }

  #leave(): void {
    this.#timer = undefined;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const wait = next.at - performance.now();
      if (wait > 0.5) {
        this.#timer = setTimeout(() => this.#leave(), wait);
        return;
      }
      this.#waiting.shift();
      if (this.#to.destroyed) continue;
      if (next.chunk === undefined) this.#to.end();
      else this.#to.write(next.chunk);
    }
  }
}
