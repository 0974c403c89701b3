// Requests over one bare socket that stays open, so that the sender costs next to nothing: one body, or a tus upload.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { writeContent } from './send.js';

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** One request whose body is made up. @returns ms to the end of its answer */
export async function sendBody(
  port: number,
  { method, path, headers }: { method: string; path: string; headers: Readonly<Record<string, string>> },
  bytes: number,
): Promise<number> {
  const line = await Line.open(port);
  const start = performance.now();
  const answer = await line.ask(method, path, headers, bytes);
  const ms = performance.now() - start;
  line.close();
  if (answer.status >= 300) throw new Error(`${path} answered ${answer.status}: ${answer.body}`);
  return ms;
}

/** A whole upload: creation, then one PATCH for each chunk. @returns ms to the end of the last answer */
export async function sendTus(
  port: number,
  metadata: Readonly<Record<string, string>>,
  bytes: number,
  chunk: number,
): Promise<number> {
  const line = await Line.open(port);
  const version = { 'tus-resumable': '1.0.0' };
  const pairs = Object.entries(metadata).map(
    ([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`,
  );
  const start = performance.now();
  const length = { 'upload-length': `${bytes}`, 'upload-metadata': pairs.join(',') };
  const made = await line.ask('POST', '/files', { ...version, ...length }, 0);
  if (made.status !== 201) throw new Error(`/files answered ${made.status}: ${made.body}`);
  const path = new URL(made.headers.get('location') ?? '', `http://127.0.0.1:${port}`).pathname;
  for (let offset = 0; offset < bytes; offset += chunk) {
    const headers = {
      ...version,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': `${offset}`,
    };
    const { status, body } = await line.ask('PATCH', path, headers, Math.min(chunk, bytes - offset));
    if (status !== 204) throw new Error(`PATCH at ${offset} answered ${status}: ${body}`);
  }
  const ms = performance.now() - start;
  line.close();
  return ms;
}

class Line {
  readonly #socket: Socket;
  readonly #port: number;
  #text = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #error: Error | undefined;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.setMaxListeners(0);
    socket.on('data', (part: Buffer) => {
      this.#text = Buffer.concat([this.#text, part]);
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => this.#wake());
  }

  static async open(port: number): Promise<Line> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Line(socket, port);
  }

  async ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    bytes: number,
  ): Promise<Answer> {
    const all = { host: `127.0.0.1:${this.#port}`, ...headers, 'content-length': `${bytes}` };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    await writeContent(this.#socket, bytes);
    return await this.#answer();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #answer(): Promise<Answer> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined) return answer;
      if (this.#socket.destroyed) {
        const text = this.#text.toString().slice(0, 2_000);
        throw new Error(`the server closed the connection: ${text}`, { cause: this.#error });
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next answer, when it has come whole. */
  #take(): Answer | undefined {
    const end = this.#text.indexOf('\r\n\r\n') + 4;
    if (end < 4) return undefined;
    const [first = '', ...lines] = this.#text.toString('latin1', 0, end - 4).split('\r\n');
    const headers = new Map(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    );
    const last =
      headers.get('transfer-encoding') === 'chunked' ? this.#text.indexOf('0\r\n\r\n', end) : undefined;
    const to = last === undefined ? end + Number(headers.get('content-length') ?? 0) : last + 5;
    if (last === -1 || this.#text.length < to) return undefined;
    const body = this.#text.toString('utf8', end, to);
    this.#text = this.#text.subarray(to);
    return { status: Number(first.split(' ')[1]), headers, body };
  }
}
