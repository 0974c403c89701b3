// A local HTTP server with faults: cuts, bursts of errors, no ranges, wrong lengths, changes, redirects, stalls.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pattern, patternPart } from './pattern.js';

/** How the server behaves; may be changed between (and in `onRequest` during) requests. */
export interface Behaviour {
  content: Buffer | Pattern;
  etag?: string | undefined;
  lastModified?: string | undefined;
  /** Default true. */
  ranges?: boolean;
  /** Extra headers of every 200 and 206. */
  headers?: Record<string, string>;
  /** Answers in place of the next requests, in order. */
  instead?: { status: number; headers?: Record<string, string> }[];
  /** Closes the connection after so many bytes of a body; how: in order (FIN) or by reset (RST). */
  cutAfter?: number | undefined;
  cutBy?: 'fin' | 'rst';
  /** Bytes of the file that are really sent; what lies behind them is announced only. */
  sendsOnly?: number | undefined;
  /** Bytes added behind every announced range (the body is chunked then). */
  adds?: number;
  /** Stops sending for ever after so many bytes of the next body; once. */
  stallOnceAfter?: number | undefined;
  /** Stands still for a while after each so many bytes of a body. */
  pauseEvery?: { readonly bytes: number; readonly ms: number } | undefined;
  /** So many of the next requests are heard and never answered. */
  ignores?: number;
  /** The size of the file as Content-Range tells it, when that is a lie. */
  toldSize?: number | undefined;
  /** Whether a body tells its length; default true. */
  tellsLength?: boolean;
  /** Bytes a second of each body. */
  pace?: number;
  onRequest?: (request: IncomingMessage, number: number) => void;
}

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes of the body that were handed to the network. */
  sent: number;
  /** Whether the answer has ended. */
  ended: boolean;
}

export interface FaultServer {
  readonly port: number;
  readonly origin: string;
  readonly behaviour: Behaviour;
  readonly heard: Heard[];
  /** Resets every connection, now. */
  cutAll(): void;
  close(): Promise<void>;
}

/** @param port where an earlier one was; 0 = any */
export async function startFaultServer(behaviour: Behaviour, port = 0): Promise<FaultServer> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const { range, authorization } = headers;
    const log: Heard = { method, url, range, authorization, sent: 0, ended: false };
    response.once('close', () => {
      log.ended = true;
    });
    heard.push(log);
    behaviour.onRequest?.(request, heard.length);
    const instead = behaviour.instead?.shift();
    if ((behaviour.ignores ?? 0) > 0) {
      behaviour.ignores = (behaviour.ignores ?? 0) - 1;
      return;
    }
    if (instead !== undefined) response.writeHead(instead.status, instead.headers).end();
    else answer(behaviour, request, response, log).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  const { port: taken } = server.address() as AddressInfo;
  return {
    port: taken,
    origin: `http://127.0.0.1:${taken}`,
    behaviour,
    heard,
    cutAll: () => server.closeAllConnections(),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function answer(
  behaviour: Behaviour,
  request: IncomingMessage,
  response: ServerResponse,
  log: Heard,
): Promise<void> {
  const { etag, lastModified } = behaviour;
  const size = sizeOf(behaviour);
  const asked = rangeOf(behaviour, request);
  if (asked !== undefined && asked.start >= size) {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    return;
  }
  const { start, end } = asked ?? { start: 0, end: size };
  response.writeHead(asked === undefined ? 200 : 206, {
    ...(behaviour.adds === undefined && behaviour.tellsLength !== false
      ? { 'content-length': end - start }
      : {}),
    ...(asked === undefined
      ? {}
      : { 'content-range': `bytes ${start}-${end - 1}/${behaviour.toldSize ?? size}` }),
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { 'last-modified': lastModified }),
    ...behaviour.headers,
  });
  await send(behaviour, response, { start, end: end + (behaviour.adds ?? 0) }, log);
}

const sizeOf = ({ content }: Pick<Behaviour, 'content'>): number =>
  Buffer.isBuffer(content) ? content.length : content.counted;

/** Bytes of the file; zeros behind its end. */
function bytesOf({ content }: Pick<Behaviour, 'content'>, start: number, end: number): Buffer {
  const found = Buffer.isBuffer(content)
    ? content.subarray(start, end)
    : patternPart(content, start, end - start);
  return found.length > 0 ? found : Buffer.alloc(end - start);
}

async function send(
  behaviour: Behaviour,
  response: ServerResponse,
  { start, end }: { start: number; end: number },
  log: Heard,
): Promise<void> {
  // As it is at the beginning: an answer is of one version.
  const version = { content: behaviour.content };
  const last = Math.max(0, Math.min(end - start, (behaviour.sendsOnly ?? Number.POSITIVE_INFINITY) - start));
  const step = behaviour.pace === undefined ? 64 * 1024 : Math.max(1, Math.floor(behaviour.pace / 100));
  while (log.sent < last) {
    if (behaviour.stallOnceAfter !== undefined && log.sent >= behaviour.stallOnceAfter) {
      behaviour.stallOnceAfter = undefined;
      return;
    }
    if (behaviour.cutAfter !== undefined && log.sent >= behaviour.cutAfter) return cut(behaviour, response);
    const room = Math.min(step, last - log.sent, (behaviour.cutAfter ?? Number.POSITIVE_INFINITY) - log.sent);
    const piece = bytesOf(version, start + log.sent, start + log.sent + room);
    if (!(await write(response, piece))) return;
    log.sent += piece.length;
    if (behaviour.pace !== undefined) await sleep(10);
    const { pauseEvery } = behaviour;
    if (pauseEvery !== undefined && log.sent % pauseEvery.bytes === 0) await sleep(pauseEvery.ms);
  }
  if (last < end - start) cut(behaviour, response);
  else response.end();
}

/** False when the client has gone. */
async function write(response: ServerResponse, chunk: Buffer): Promise<boolean> {
  return await new Promise((resolve) => {
    if (response.destroyed || response.writableEnded) resolve(false);
    else response.write(chunk, (error) => resolve(error === null || error === undefined));
  });
}

function cut({ cutBy }: Behaviour, response: ServerResponse): void {
  if (cutBy === 'rst') response.socket?.resetAndDestroy();
  else response.socket?.destroySoon();
}

function rangeOf(behaviour: Behaviour, request: IncomingMessage): { start: number; end: number } | undefined {
  if (behaviour.ranges === false) return undefined;
  const condition = request.headers['if-range'];
  if (condition !== undefined && condition !== behaviour.etag && condition !== behaviour.lastModified)
    return undefined;
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (match === null) return undefined;
  const end = match[2] === '' ? sizeOf(behaviour) : Number(match[2]) + 1;
  return { start: Number(match[1]), end: Math.min(end, sizeOf(behaviour)) };
}
