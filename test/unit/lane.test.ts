// The lane: bodies of HTTP answers into files beside the main loop, on real sockets.
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readHead, writeGet } from '../../src/net/http-head.js';
import { type LaneBody, LaneError, openLane } from '../../src/net/lane.js';

const BYTES = Buffer.alloc(3 * 1024 * 1024, 'sluice lane ');
let directory: string;
let path: string;
const closing: (() => Promise<unknown> | undefined)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lane-'));
  path = join(directory, 'file');
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(directory, { recursive: true });
});

describe('a lane', () => {
  test('writes what is granted at its place, and not before', async () => {
    const port = await serve((_request, response) => response.end(BYTES));
    const body = await ask(port, { offset: 1000 });
    expect(body.head).toMatchObject({ status: 200, length: BYTES.length, keepAlive: true });
    body.grant(10_000);
    expect(await body.next()).toBe(10_000);
    expect((await stat(path)).size).toBe(11_000);
    body.grant(BYTES.length - 10_000);
    await readOn(body, BYTES.length - 10_000);
    await body.ended;
    expect((await readFile(path)).subarray(1000).equals(BYTES)).toBe(true);
    expect(await body.next()).toBe(0);
  });

  test('sends the next request over the same connection, and a new one where that was let go', async () => {
    const sockets = new Set<Socket>();
    const port = await serve((request, response) => {
      sockets.add(request.socket);
      response.end(BYTES);
    });
    for (let round = 0; round < 2; round += 1) await whole(await ask(port));
    expect(sockets.size).toBe(1);
    for (const socket of sockets) socket.destroy();
    await whole(await ask(port));
    expect(sockets.size).toBe(2);
  });

  test('several at once do not mix', async () => {
    const port = await serve((request, response) => response.end(BYTES.fill(Number(request.url?.slice(1)))));
    const digits = [1, 2, 3, 4];
    await Promise.all(
      digits.map(async (digit) => whole(await ask(port, { url: `/${digit}`, offset: digit * BYTES.length }))),
    );
    const written = await readFile(path);
    expect(
      digits.map((digit) => new Set(written.subarray(digit * BYTES.length, (digit + 1) * BYTES.length))),
    ).toEqual(digits.map((digit) => new Set([digit])));
  });

  test('a stopped body writes nothing more', async () => {
    const port = await serve((_request, response) => response.end(BYTES));
    const body = await ask(port);
    body.grant(65_536);
    await body.next();
    body.stop(new Error('enough'));
    await body.ended;
    const { size } = await stat(path);
    body.grant(BYTES.length);
    await expect(readOn(body, BYTES.length)).rejects.toThrow('enough');
    expect((await stat(path)).size).toBe(size);
  });

  test('an abort ends it, before its head and after', async () => {
    const port = await serve((request, response) => {
      if (request.url !== '/silent') response.end(BYTES);
    });
    const silent = AbortSignal.timeout(50);
    await expect(ask(port, { url: '/silent', signal: silent })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    const stop = new AbortController();
    const body = await ask(port, { signal: stop.signal });
    stop.abort(new Error('left'));
    await body.ended;
    await expect(body.next()).rejects.toThrow('left');
  });

  test.each([
    ['cut in its body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 'connection'],
    ['cut in its head', 'HTTP/1.1 200 OK\r\nconte', 'connection'],
    ['in parts of unknown length', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc', 'answer'],
    ['of two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc', 'answer'],
    ['of an endless head', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`, 'answer'],
    ['of no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'answer'],
  ])('an answer %s is told', async (_what, text, where) => {
    const port = await serveRaw((socket) => socket.end(text));
    const reading = (async () => {
      const body = await ask(port);
      body.grant(10);
      return await readOn(body, 10);
    })();
    await expect(reading).rejects.toMatchObject({ name: 'LaneError', where });
  });

  test('a head that comes byte by byte is read', async () => {
    const port = await serveRaw(async (socket) => {
      for (const sign of 'HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\n') {
        socket.write(sign);
        await new Promise(setImmediate);
      }
      socket.write('four');
    });
    const body = await ask(port);
    expect(body.head).toMatchObject({ status: 206, length: 4 });
    body.grant(4);
    await readOn(body, 4);
    expect(await readFile(path, 'utf8')).toBe('four');
  });

  test('bytes behind the body are not taken for another answer', async () => {
    let connections = 0;
    const port = await serveRaw((socket) => {
      connections += 1;
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfourHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil',
      );
    });
    await whole(await ask(port));
    await whole(await ask(port));
    expect(connections).toBe(2);
    expect(await readFile(path, 'utf8')).toBe('four');
  });

  test('a file that cannot be written is not the connection’s fault', async () => {
    const port = await serve((_request, response) => response.end(BYTES));
    const body = await ask(port, { flags: 'r' });
    body.grant(1000);
    await expect(body.next()).rejects.toMatchObject({ where: 'disk', code: 'EBADF' });
  });

  test('a host that does not answer, and a certificate that nobody vouches for', async () => {
    await expect(ask(1)).rejects.toMatchObject({ where: 'connection', code: 'ECONNREFUSED' });
    const port = await serve((_request, response) => response.end(BYTES));
    await expect(ask(port, { secure: true })).rejects.toBeInstanceOf(LaneError);
  });
});

describe('a request and a head', () => {
  test('nothing can end a line early', () => {
    expect(writeGet('host', '/a?b=c', { range: 'bytes=0-1' })).toBe(
      'GET /a?b=c HTTP/1.1\r\nrange: bytes=0-1\r\nhost: host\r\n\r\n',
    );
    for (const path of ['/a b', '/a\r\nx: y', 'a', '/ü'])
      expect(() => writeGet('host', path, {})).toThrow('signs');
    expect(() => writeGet('host', '/', { x: 'a\r\nb: c' })).toThrow('signs');
    expect(() => writeGet('host\r\nx: y', '/', {})).toThrow('signs');
  });

  test.each([
    ['HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-encoding: gzip', undefined],
    ['HTTP/1.1 200 OK\r\ncontent-length: +3', undefined],
    ['HTTP/1.1 200 OK\r\ncontent-length : 3', undefined],
    ['HTTP/1.1 200 OK\r\n folded\r\ncontent-length: 3', undefined],
    ['HTTP/2 200\r\ncontent-length: 3', undefined],
    ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close', { keepAlive: false, length: 3 }],
    ['HTTP/1.0 200 OK\r\nContent-Length: 3', { keepAlive: false }],
    ['HTTP/1.1 206\r\n__proto__: x\r\nContent-Length: 0', { status: 206, keepAlive: true }],
  ])('%j', (text, found) => {
    if (found === undefined) expect(readHead(text)).toBeUndefined();
    else expect(readHead(text)).toMatchObject(found);
  });
});

interface Asked {
  readonly url?: string;
  readonly offset?: number;
  readonly signal?: AbortSignal;
  readonly flags?: string;
  readonly secure?: boolean;
}

async function ask(port: number, asked: Asked = {}): Promise<LaneBody> {
  const {
    url = '/',
    offset = 0,
    signal = new AbortController().signal,
    flags = 'r+',
    secure = false,
  } = asked;
  await open(path, 'a').then((file) => file.close());
  const file = await open(path, flags);
  closing.push(() => file.close());
  const target = { secure, host: 'localhost', port, addresses: [{ address: '127.0.0.1', family: 4 }] };
  return await openLane(target, writeGet('localhost', url, {}), { file: file.fd, offset }, signal);
}

async function whole(body: LaneBody): Promise<void> {
  body.grant(body.head.length);
  await readOn(body, body.head.length);
  await body.ended;
}

async function readOn(body: LaneBody, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; ) left -= (await body.next()) || left;
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server = createServer(answer);
  return await listening(server, () => server.closeAllConnections());
}

async function serveRaw(answer: (socket: Socket) => unknown): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.once('data', () => void answer(socket));
  });
  return await listening(server, () => {
    for (const socket of sockets) socket.destroy();
  });
}

async function listening(server: TcpServer, cut: () => void): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    cut();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}
