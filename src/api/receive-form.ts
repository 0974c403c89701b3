// A multipart form with files of any size: parsed as it comes, written as fast as the disk takes it, never held.
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { Fault, faultOf } from '../domain/fault.js';

export type FormFields = Readonly<Record<string, string>>;

/** Where a file's bytes go. */
export interface FormSink {
  fill(body: Readable, options: { readonly idleMs: number; readonly signal: AbortSignal }): Promise<void>;
  close(): Promise<number>;
}

export interface FormOptions {
  /** Name of the parts that are files; default `file`. */
  readonly part?: string;
  /** Longest body, bytes. */
  readonly maxBytes: number;
  /** Longest time without a byte, milliseconds. */
  readonly idleMs: number;
  /** Whether it was we who let the client wait, since it was asked last; default never. */
  heldUp?(): boolean;
  /** Ends the receiving; its reason is the failure. */
  readonly signal: AbortSignal;
  /** Opens the place for the next part `file`. `before` are the fields that came before it in the form. */
  open(name: string, before: FormFields): Promise<FormSink>;
  /** Told of a file under another name; it is not kept. */
  stray(part: string): void;
  /** Told after every chunk of a file. */
  onBytes(bytes: number): void;
}

const LIMITS = {
  fieldNameSize: 200,
  fieldSize: 256 * 1024,
  fields: 200,
  files: 100_000,
  parts: 100_200,
  headerPairs: 50,
};
const CHUNK = 256 * 1024;

/**
 * Reads the whole form.
 * @returns its fields, after every file is written and closed
 * @throws Fault upload_interrupted, payload_too_large, invalid_field, unsupported_media_type, or what `open` throws
 */
export async function receiveForm(incoming: IncomingMessage, options: FormOptions): Promise<FormFields> {
  refuseTooLong(Number(incoming.headers['content-length'] ?? 0), options.maxBytes);
  return await new FormReading(incoming, newForm(incoming), options).run();
}

class FormReading {
  readonly #incoming: IncomingMessage;
  readonly #form: BusboyInstance;
  readonly #options: FormOptions;
  readonly #fields = new Map<string, string>();
  readonly #waiting = new Set<BusboyFileStream>();
  #files: Promise<void> = Promise.resolve();
  #bytes = 0;
  #failed = false;
  #fail: (error: unknown) => void = () => undefined;
  readonly #onAbort = (): void => this.#fail(faultOf(this.#options.signal.reason) ?? interrupted());

  constructor(incoming: IncomingMessage, form: BusboyInstance, options: FormOptions) {
    this.#incoming = incoming;
    this.#form = form;
    this.#options = options;
  }

  async run(): Promise<FormFields> {
    const stopWatching = this.#watchIdle();
    try {
      await this.#pump();
      await this.#files;
      return Object.fromEntries(this.#fields);
    } catch (error) {
      this.#stop(error);
      await this.#files.catch(() => undefined);
      throw error;
    } finally {
      stopWatching();
      this.#options.signal.removeEventListener('abort', this.#onAbort);
    }
  }

  /** Ends when the form has ended, or with the first failure of anything. */
  #pump(): Promise<void> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      const gone = (): void => {
        if (!this.#incoming.complete) reject(interrupted('The client went away before the last byte.'));
      };
      this.#incoming.once('close', gone).once('error', gone);
      // The signal may be the server's own, and outlive this request by months.
      signal.addEventListener('abort', this.#onAbort);
      if (signal.aborted) this.#onAbort();
      const tooMany = (): void => reject(new Fault('payload_too_large', 'The form has too many parts.'));
      this.#form
        .on('field', (name, value, _nameCut, cut) => this.#takeField(name, value, cut))
        .on('file', (part, stream, name) => this.#queueFile(part, stream, name))
        .on('filesLimit', tooMany)
        .on('fieldsLimit', tooMany)
        .on('partsLimit', tooMany)
        .on('error', (error) => reject(broken(error)))
        .on('finish', resolve);
      this.#incoming.pipe(this.#form);
    });
  }

  #takeField(name: string, value: string, cut: boolean): void {
    if (cut) this.#fail(new Fault('payload_too_large', `The field ${JSON.stringify(name)} is too long.`));
    this.#fields.set(name, value);
  }

  #queueFile(part: string, stream: BusboyFileStream, name: string | undefined): void {
    // Without a listener an error that comes while the file waits for its turn would end the process.
    stream.on('error', () => undefined);
    const isWanted = part === (this.#options.part ?? 'file');
    if (!isWanted || this.#failed) {
      stream.resume();
      if (!isWanted) this.#tryTo(() => this.#options.stray(part));
      return;
    }
    this.#waiting.add(stream);
    const before = Object.fromEntries(this.#fields);
    // It is said of the file that follows, and of no other.
    this.#fields.delete('sha256');
    this.#files = this.#files.then(() => this.#takeFile(stream, name ?? '', before));
    this.#files.catch((error: unknown) => this.#fail(error));
  }

  async #takeFile(stream: BusboyFileStream, name: string, before: FormFields): Promise<void> {
    const sink = await this.#options.open(name, before);
    // It flows when its sink takes it, not before.
    stream.pause().on('data', (chunk: Buffer) => this.#count(chunk.length));
    const { idleMs, signal } = this.#options;
    await sink.fill(stream, { idleMs, signal });
    await sink.close();
    this.#waiting.delete(stream);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#options.onBytes(bytes);
    this.#tryTo(() => refuseTooLong(this.#bytes, this.#options.maxBytes));
  }

  #tryTo(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Lets go of the request without closing it: the answer has yet to be sent. */
  #stop(error: unknown): void {
    this.#failed = true;
    this.#incoming.unpipe(this.#form);
    const why = error instanceof Error ? error : interrupted();
    for (const stream of this.#waiting) stream.destroy(why);
    this.#form.on('error', () => undefined);
    this.#form.destroy();
  }

  #watchIdle(): () => void {
    const { idleMs } = this.#options;
    const { socket } = this.#incoming;
    let seen = socket.bytesRead;
    const timer = setInterval(() => {
      const isHeldUp = this.#options.heldUp?.() ?? false;
      if (socket.bytesRead === seen && !isHeldUp) {
        this.#fail(interrupted(`No byte came for ${Math.round(idleMs / 1000)} seconds.`));
      }
      seen = socket.bytesRead;
    }, idleMs);
    timer.unref();
    return () => clearInterval(timer);
  }
}

function newForm(incoming: IncomingMessage): BusboyInstance {
  const type = incoming.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw new Fault('unsupported_media_type', 'This route reads multipart/form-data.');
  }
  try {
    return new Busboy({
      headers: { ...incoming.headers, 'content-type': type },
      limits: LIMITS,
      highWaterMark: CHUNK,
      fileHwm: CHUNK,
      preservePath: true,
      isPartAFile: (_part, contentType, name) =>
        name !== undefined || contentType === 'application/octet-stream',
    });
  } catch (error) {
    throw broken(error);
  }
}

/** @throws Fault payload_too_large */
export function refuseTooLong(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) {
    throw new Fault(
      'payload_too_large',
      `The body is longer than ${maxBytes} bytes, which this server accepts.`,
    );
  }
}

const interrupted = (detail?: string): Fault => new Fault('upload_interrupted', detail);

function broken(error: unknown): Fault {
  const words = error instanceof Error ? error.message : String(error);
  return /unexpected end|terminated early/i.test(words)
    ? interrupted('The form ended before its last part.')
    : new Fault('invalid_field', `The form cannot be read: ${words}`, { cause: error });
}
