// A client that sends a multipart form of any size over a bare socket, so that the sender costs next to nothing.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Form {
  readonly fields: Readonly<Record<string, string>>;
  /** Of the file; default `file`. */
  readonly part?: string;
  readonly fileName: string;
  /** The file: its bytes, or a length that is made up while it is sent. */
  readonly content: Buffer | number;
}

export interface Sent {
  readonly status: number;
  readonly body: string;
  /** From the first byte of the request to the last byte of the answer. */
  readonly ms: number;
  /** When the last byte of the request was handed to the system, ms since 1970. */
  readonly lastByteAt: number;
}

const BOUNDARY = 'sluice-bench-7f3a9c';
/** Content that is made up is this, again and again. */
export const MADE_UP = Buffer.alloc(256 * 1024, 'sluice ');

/** @throws Error when the server closes the connection without an answer */
export async function sendForm(port: number, path: string, form: Form): Promise<Sent> {
  const { head, tail, length } = framing(form);
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const answered = readAnswer(socket);
  const start = performance.now();
  const request = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `content-type: multipart/form-data; boundary=${BOUNDARY}`,
    `content-length: ${length}`,
    'connection: close',
  ];
  socket.write(`${request.join('\r\n')}\r\n\r\n`);
  socket.write(head);
  await writeContent(socket, form.content);
  let lastByteAt = 0;
  socket.write(tail, () => {
    lastByteAt = performance.timeOrigin + performance.now();
  });
  const answer = await answered;
  return { ...answer, ms: performance.now() - start, lastByteAt };
}

function framing({ fields, part: name = 'file', fileName, content }: Form): {
  head: string;
  tail: string;
  length: number;
} {
  const part = (disposition: string, rest: string): string =>
    `--${BOUNDARY}\r\ncontent-disposition: form-data; ${disposition}\r\n${rest}`;
  const head = [
    ...Object.entries(fields).map(([field, value]) => part(`name="${field}"`, `\r\n${value}\r\n`)),
    part(`name="${name}"; filename="${fileName}"`, 'content-type: application/octet-stream\r\n\r\n'),
  ].join('');
  const tail = `\r\n--${BOUNDARY}--\r\n`;
  const bytes = typeof content === 'number' ? content : content.length;
  return { head, tail, length: Buffer.byteLength(head) + bytes + tail.length };
}

export async function writeContent(socket: Socket, content: Buffer | number): Promise<void> {
  if (typeof content !== 'number') {
    socket.write(content);
    return;
  }
  // Woken by either; one pair of listeners for the whole body.
  let wake: () => void = () => undefined;
  socket.on('drain', () => wake()).on('close', () => wake());
  for (let left = content; left > 0 && !socket.destroyed; left -= MADE_UP.length) {
    const chunk = left < MADE_UP.length ? MADE_UP.subarray(0, left) : MADE_UP;
    const drained = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (!socket.write(chunk)) await drained;
  }
}

async function readAnswer(socket: Socket): Promise<{ status: number; body: string }> {
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  await once(socket, 'close');
  const text = Buffer.concat(parts).toString();
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
  if (status === 0) throw new Error('the server closed the connection without an answer');
  return { status, body: text.slice(text.indexOf('\r\n\r\n') + 4) };
}
