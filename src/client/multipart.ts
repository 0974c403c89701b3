// A multipart form as a stream of known length: fields first, then the files one after the other.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';

export interface SendFile {
  /** Its path inside the dataset, parts divided by `/`. */
  readonly name: string;
  /** Bytes; exactly so many must come. */
  readonly size: number;
  /** Opened when its turn comes. */
  open(): AsyncIterable<Uint8Array>;
}

export interface MultipartBody {
  readonly contentType: string;
  readonly length: number;
  readonly body: Readable;
}

export function multipartBody(
  files: readonly SendFile[],
  fields: Readonly<Record<string, string>>,
  onProgress: (sent: number, total: number) => void = () => undefined,
): MultipartBody {
  const boundary = `sluice-${randomUUID()}`;
  const lead = Buffer.concat(
    Object.entries(fields).map(([name, value]) =>
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"\r\n\r\n${value}\r\n`,
      ),
    ),
  );
  const heads = files.map(({ name }) =>
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted(name)}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    ),
  );
  const tail = Buffer.from(`--${boundary}--\r\n`);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const headBytes = heads.reduce((sum, head) => sum + head.length + 2, 0);

  async function* chunks(): AsyncGenerator<Uint8Array> {
    let sent = 0;
    yield lead;
    for (const [index, file] of files.entries()) {
      yield heads[index] ?? Buffer.alloc(0);
      for await (const chunk of exactly(file)) {
        yield chunk;
        sent += chunk.length;
        onProgress(sent, total);
      }
      yield Buffer.from('\r\n');
    }
    yield tail;
  }

  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    length: lead.length + headBytes + total + tail.length,
    body: Readable.from(chunks(), { objectMode: false, highWaterMark: 1024 * 1024 }),
  };
}

/** A file that changes while it is sent would break the form: then nothing is sent rather than something wrong. */
async function* exactly({ name, size, open }: SendFile): AsyncGenerator<Uint8Array> {
  let come = 0;
  for await (const chunk of open()) {
    come += chunk.length;
    if (come > size) break;
    yield chunk;
  }
  if (come !== size) throw new Error(`${name} changed while it was sent`);
}

/** A name inside quotes. */
const quoted = (name: string): string =>
  name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/["\\]/g, '\\$&');
