// From an opened body to the partial file: reading goes on while the last batch is being written.
import type { PartialFile } from '../../../bytes/partial-file.js';
import type { Fault } from '../../../domain/fault.js';
import { type Opened, type RangeOpener, TryAgain } from './port.js';
import { connectionError, givenUp } from './tries.js';
import type { Watched } from './watch.js';
import type { Span } from './work.js';

const BATCH_BYTES = 1024 * 1024;

export interface Sink {
  readonly file: PartialFile;
  /** Waits until so many more bytes may be taken. */
  readonly pace: (bytes: number) => Promise<void>;
  /** So many more bytes have come. */
  readonly came: (bytes: number) => void;
  /** A batch lies in the file; it ends at this offset. */
  readonly wrote: (end: number) => void;
  readonly watched: Watched;
}

/**
 * Writes the body up to the end of the span, which may move forward meanwhile, and tells each byte that came.
 * @param span begins where the body begins
 * @throws TryAgain when it ends before its announced end, Fault when it is longer than announced
 */
export async function pump(
  opener: Pick<RangeOpener, 'host' | 'codes'>,
  { range, body }: Opened,
  span: Span,
  { file, pace, came, wrote, watched }: Sink,
): Promise<void> {
  const writer = new BatchWriter(file, range.start, wrote);
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (let at = range.start; ; ) {
      watched.waitingSince = performance.now();
      const chunk = await nextChunk(chunks);
      watched.waitingSince = undefined;
      if (chunk === undefined) return ended(at, range.end);
      if (at + chunk.length > range.end) throw tooLong(opener);
      const wanted = chunk.subarray(0, Math.max(0, span.end - at));
      at += wanted.length;
      // Taken before anything is awaited: whoever shares this span's rest must not take these bytes as well.
      span.at = at;
      watched.bytes += wanted.length;
      await pace(wanted.length);
      await writer.add(wanted);
      came(wanted.length);
      if (at >= span.end && span.end < range.end) return;
    }
  } finally {
    watched.waitingSince = undefined;
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
  private readonly wrote: (end: number) => void;
  private offset: number;
  private batch: Buffer[] = [];
  private size = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(file: PartialFile, offset: number, wrote: (end: number) => void) {
    this.file = file;
    this.offset = offset;
    this.wrote = wrote;
  }

  async add(chunk: Buffer): Promise<void> {
    if (chunk.length === 0) return;
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
    const { batch, offset, size } = this;
    this.offset += size;
    this.batch = [];
    this.size = 0;
    this.writing = this.file.write(batch, offset).then(() => this.wrote(offset + size));
    // Its failure is thrown by whoever awaits it next; until then it must not count as unhandled.
    this.writing.catch(() => undefined);
  }
}
