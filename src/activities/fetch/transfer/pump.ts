// From an opened body to the partial file: reading goes on while the last batch is being written.
import type { PartialFile } from '../../../bytes/partial-file.js';
import type { Fault } from '../../../domain/fault.js';
import { type Opened, type RangeOpener, TryAgain } from './port.js';
import { connectionError, givenUp } from './tries.js';

const BATCH_BYTES = 1024 * 1024;

export interface Sink {
  /** Waits until so many more bytes may be taken. */
  readonly pace: (bytes: number) => Promise<void>;
  /** So many more bytes have come. */
  readonly came: (bytes: number) => void;
}

/**
 * Writes the body from its start on, up to `end`, and tells each byte that came.
 * @throws TryAgain when it ends before its announced end, Fault when it is longer than announced
 */
export async function pump(
  opener: Pick<RangeOpener, 'host' | 'codes'>,
  { range, body }: Opened,
  file: PartialFile,
  end: number,
  { pace, came }: Sink,
): Promise<void> {
  const stop = Math.min(end, range.end);
  const writer = new BatchWriter(file, range.start);
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (let at = range.start; ; ) {
      const chunk = await nextChunk(chunks);
      if (chunk === undefined) return ended(at, range.end);
      if (at + chunk.length > range.end) throw tooLong(opener);
      const wanted = chunk.subarray(0, stop - at);
      await pace(wanted.length);
      await writer.add(wanted);
      at += wanted.length;
      came(wanted.length);
      if (at >= stop && stop < range.end) return;
    }
  } finally {
    body.destroy();
    await writer.end();
  }
}

async function nextChunk(chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  try {
    const next = await chunks.next();
    return next.done === true ? undefined : next.value;
  } catch (error) {
    throw connectionError(error);
  }
}

function ended(at: number, announced: number): void {
  if (Number.isFinite(announced) && at < announced) throw new TryAgain('short');
}

function tooLong(opener: Pick<RangeOpener, 'host' | 'codes'>): Fault {
  const say = `The server ${opener.host} sent more bytes than it announced: its lengths cannot be trusted.`;
  return givenUp(opener, 'short', say, undefined);
}

/** Writes batches one after the other, each while the next one is being read. */
class BatchWriter {
  private readonly file: PartialFile;
  private offset: number;
  private batch: Buffer[] = [];
  private size = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(file: PartialFile, offset: number) {
    this.file = file;
    this.offset = offset;
  }

  async add(chunk: Buffer): Promise<void> {
    this.batch.push(chunk);
    this.size += chunk.length;
    if (this.size >= BATCH_BYTES) await this.write();
  }

  async end(): Promise<void> {
    await this.write();
    await this.writing;
  }

  /** Waits for the batch before, and starts this one. */
  private async write(): Promise<void> {
    await this.writing;
    if (this.size === 0) return;
    const { batch, offset } = this;
    this.offset += this.size;
    this.batch = [];
    this.size = 0;
    this.writing = this.file.write(batch, offset);
    // Its failure is thrown by whoever awaits it next; until then it must not count as unhandled.
    this.writing.catch(() => undefined);
  }
}
