// Requests as clients send them, down to the bytes where that matters.
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are compared field by field
  readonly body: any;
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return await answerOf(await fetch(url, { headers }));
}

export async function post(
  url: string,
  body: unknown = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const json = typeof body === 'string' ? body : JSON.stringify(body);
  return await answerOf(
    await fetch(url, {
      method: 'POST',
      body: json,
      headers: { 'content-type': 'application/json', ...headers },
    }),
  );
}

export async function put(url: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return await answerOf(await fetch(url, { method: 'PUT', body: JSON.stringify(body), headers }));
}

export type Part = readonly [name: string, value: string | Uint8Array, fileName?: string];

/** Sends the parts in exactly this order. */
export async function postForm(
  url: string,
  parts: readonly Part[],
  headers: Record<string, string> = {},
): Promise<Answer> {
  const boundary = 'sluice-test-boundary';
  const type = `multipart/form-data; boundary=${boundary}`;
  const body = formBody(parts, boundary);
  return await answerOf(
    await fetch(url, {
      method: 'POST',
      body: new Uint8Array(body),
      headers: { 'content-type': type, ...headers },
    }),
  );
}

export function formBody(parts: readonly Part[], boundary: string): Buffer {
  const chunks = parts.flatMap(([name, value, fileName]) => {
    const file =
      fileName === undefined ? '' : `; filename="${fileName}"\r\nContent-Type: application/octet-stream`;
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`;
    return [Buffer.from(head), Buffer.from(value), Buffer.from('\r\n')];
  });
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
}

/** Sends the head of a form whose announced length is larger than what comes; the caller decides when to go. */
export async function beginForm(
  url: string,
  parts: readonly Part[],
  announced: number,
  headers: Record<string, string> = {},
): Promise<Socket> {
  const { hostname, port, pathname } = new URL(url);
  const body = formBody(parts, 'cut');
  const extra = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => undefined);
  socket.write(
    `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
      `Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: ${announced}\r\n${extra}\r\n`,
  );
  socket.write(body.subarray(0, body.length - 9));
  return socket;
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

/** Asks until the answer satisfies, at most 10 s. */
export async function eventually<T>(ask: () => Promise<T>, satisfied: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const value = await ask();
    if (satisfied(value)) return value;
    if (tries > 200) throw new Error(`it did not come about: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
