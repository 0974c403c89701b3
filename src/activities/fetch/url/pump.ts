// From a response's body to the partial file: reading goes on while the last batch is being written.
import type { PartialFile } from '../../../bytes/partial-file.js';
import { Fault } from '../../../domain/fault.js';
import { type Delivery, TryAgain } from './answer.js';
import { connectionError } from './tries.js';

const BATCH_BYTES = 1024 * 1024;

/**
 * Writes the body from the delivery's start on, up to `end`, and tells each byte that came.
 * @throws TryAgain when it ends before its announced end, Fault `url_short` when it is longer than announced
 */
export async function pump(
  delivery: Delivery,
  file: PartialFile,
  end: number,
  came: (bytes: number) => void,
): Promise<void> {
  const { range, answer } = delivery;
  const stop = Math.min(end, range.end);
  const writer = new BatchWriter(file, range.start);
  const chunks = answer.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (let at = range.start; ; ) {
      const chunk = await nextChunk(chunks);
      if (chunk === undefined) return ended(at, range.end);
      if (at + chunk.length > range.end) throw tooLong(delivery);
      const wanted = chunk.subarray(0, stop - at);
      await writer.add(wanted);
      at += wanted.length;
      came(wanted.length);
      if (at >= stop && stop < range.end) return;
    }
  } finally {
    answer.body.destroy();
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

function tooLong({ answer }: Delivery): Fault {
  return new Fault(
    'url_short',
    `The server ${answer.url.host} sent more bytes than it announced: its lengths cannot be trusted.`,
  );
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
