// A proxy in front of an S3 server, with faults: refusals in the store's words, cuts, stalls, changed headers, a pace.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A refusal as stores word it. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly headers?: Record<string, string>;
  /** More elements of the error, as XML. */
  readonly more?: string;
}

export interface Faults {
  /** Answers in place of the next requests, in order. */
  instead?: Refusal[];
  /** Called for every request; what it returns is answered in its place. */
  onRequest?: (
    request: IncomingMessage,
    number: number,
  ) => Refusal | undefined | Promise<Refusal | undefined>;
  /** Bytes a second of each body. */
  pace?: number;
  /** Resets the connection after so many bytes of a body. */
  cutAfter?: number | undefined;
  /** Stops sending for ever after so many bytes of the next body; once. */
  stallOnceAfter?: number | undefined;
  /** Bytes that are announced of each body and never sent: the connection is closed in order where they would come. */
  announcesMore?: number;
  /** Headers that replace those of the store. */
  headers?: Record<string, string>;
  /** Objects of a store that keeps any name, by key; its list, and each of them, is answered here. */
  pretended?: ReadonlyMap<string, Buffer>;
}

export class S3Proxy {
  /** Changed by the tests while it runs. */
  faults: Faults = {};
  readonly heard: { readonly method: string; readonly url: string; readonly range: string | undefined }[] =
    [];
  /** Bytes of bodies of objects that were handed to the network. */
  given = 0;
  private readonly server = createServer((request, response) => {
    this.answer(request, response).catch(() => response.destroy());
  });
  private readonly target: URL;

  private constructor(target: string) {
    this.target = new URL(target);
  }

  static async start(target: string): Promise<S3Proxy> {
    const proxy = new S3Proxy(target);
    await new Promise<void>((done) => proxy.server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.faults = {};
    this.heard.length = 0;
    this.given = 0;
  }

  /** Resets every connection, now. */
  cutAll(): void {
    this.server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.heard.push({ method, url, range: headers.range });
    const number = this.heard.length;
    const refusal = (await this.faults.onRequest?.(request, number)) ?? this.faults.instead?.shift();
    if (refusal !== undefined) refuse(response, method, refusal);
    else if (this.faults.pretended !== undefined) pretend(this.faults.pretended, request, response);
    else this.pass(request, response);
  }

  private pass(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request;
    const { hostname, port } = this.target;
    // The Host header stays: it is part of what was signed.
    const onward = send({ hostname, port, method, path: url, headers }, (answer) => {
      const status = answer.statusCode ?? 500;
      const { announcesMore: more = 0, headers: lies } = this.faults;
      const length = { 'content-length': Number(answer.headers['content-length']) + more };
      const told = status < 300 ? { ...(more > 0 && method === 'GET' ? length : {}), ...lies } : {};
      response.writeHead(status, { ...answer.headers, ...told });
      this.pipe(answer, response).catch(() => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  private async pipe(body: IncomingMessage, response: ServerResponse): Promise<void> {
    const stallAfter = this.faults.stallOnceAfter;
    let sent = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const { cutAfter, pace } = this.faults;
      if (cutAfter !== undefined && sent + chunk.length > cutAfter) {
        await write(response, chunk.subarray(0, cutAfter - sent));
        return void response.socket?.resetAndDestroy();
      }
      if (stallAfter !== undefined && sent + chunk.length > stallAfter) {
        this.faults.stallOnceAfter = undefined;
        return;
      }
      await write(response, chunk);
      sent += chunk.length;
      this.given += chunk.length;
      if (pace !== undefined) await sleep((chunk.length / pace) * 1000);
    }
    if (this.faults.announcesMore === undefined) response.end();
    else response.socket?.destroySoon();
  }
}

async function write(response: ServerResponse, chunk: Buffer): Promise<void> {
  if (response.write(chunk)) return;
  const ended = new AbortController();
  try {
    const { signal } = ended;
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    ended.abort();
  }
}

function refuse(
  response: ServerResponse,
  method: string,
  { status, code, headers, more = '' }: Refusal,
): void {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>told by a test</Message>${more}</Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', ...headers });
  response.end(method === 'HEAD' ? undefined : text);
}

const PAGE = 100;

function pretend(
  objects: ReadonlyMap<string, Buffer>,
  { url = '' }: IncomingMessage,
  response: ServerResponse,
): void {
  const { searchParams } = new URL(url, 'http://x');
  if (searchParams.has('list-type')) {
    list([...objects], Number(searchParams.get('continuation-token') ?? 0), response);
    return;
  }
  const key = decodeURIComponent((url.split('?')[0] ?? '').split('/').slice(2).join('/'));
  const content = objects.get(key);
  if (content === undefined) refuse(response, 'GET', { status: 404, code: 'NoSuchKey' });
  else response.writeHead(200, { 'content-length': content.length, etag: '"pretended"' }).end(content);
}

function list(objects: readonly [string, Buffer][], from: number, response: ServerResponse): void {
  const page = objects.slice(from, from + PAGE);
  const entries = page.map(
    ([key, { length }]) =>
      `<Contents><Key>${encodeURIComponent(key)}</Key><ETag>&quot;pretended&quot;</ETag><Size>${length}</Size></Contents>`,
  );
  const more = from + PAGE < objects.length;
  const token = more ? `<NextContinuationToken>${from + PAGE}</NextContinuationToken>` : '';
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><EncodingType>url</EncodingType>` +
      `<IsTruncated>${more}</IsTruncated>${token}${entries.join('')}</ListBucketResult>`,
  );
}
