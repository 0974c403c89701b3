// A tus client by hand, so that a test decides about every byte and every header.
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface TusAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

const BASE = { 'tus-resumable': '1.0.0' };
export const PART = { ...BASE, 'content-type': 'application/offset+octet-stream' };

export const metadata = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');

export const NATIVE = { name: 'a tus upload', sensor: 'OTHER', user_email: 'ada@example.org' };

export async function ask(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Uint8Array,
): Promise<TusAnswer> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...BASE, ...headers }, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: new Headers(answer.headers as Record<string, string>),
          body: Buffer.concat(parts).toString(),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export interface Begun {
  readonly url: string;
  readonly jobId: string;
  readonly uuid: string;
}

/** @throws Error when it was refused */
export async function create(
  api: string,
  length: number,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Begun> {
  const answer = await ask('POST', `${api}/files`, {
    'upload-length': `${length}`,
    'upload-metadata': metadata(fields),
    ...headers,
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
  const { job_id: jobId, dataset_uuid: uuid } = JSON.parse(answer.body) as {
    job_id: string;
    dataset_uuid: string;
  };
  return { url: new URL(answer.headers.get('location') ?? '', api).href, jobId, uuid };
}

export const send = (
  url: string,
  offset: number,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<TusAnswer> => ask('PATCH', url, { ...PART, 'upload-offset': `${offset}`, ...headers }, bytes);

export async function offsetOf(url: string): Promise<number> {
  const answer = await ask('HEAD', url);
  if (answer.status !== 200) throw new Error(`HEAD answered ${answer.status}`);
  return Number(answer.headers.get('upload-offset'));
}

/** Begins a PATCH that announces more than it sends; the caller goes on or breaks the connection. */
export async function beginPart(
  url: string,
  offset: number,
  announced: number,
  bytes: Uint8Array,
): Promise<Socket> {
  const { hostname, port, pathname, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => undefined);
  const headers = { ...PART, host, 'upload-offset': `${offset}`, 'content-length': `${announced}` };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`PATCH ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
  await new Promise((resolve) => socket.write(bytes, resolve));
  return socket;
}
