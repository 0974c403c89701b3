// A file that grows by ranges, together with its journal: what is confirmed survives any death of the writer.
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { diskFault, onDisk } from './disk-fault.js';
import { sizeOf } from './files.js';
import { type Owner, RangeJournal, readJournal, type Validator } from './journal.js';
import { countBytes, mergeRanges, missingRanges, type Range } from './ranges.js';

/** Bytes after which writing confirms. It runs beside the next bytes: a kill costs twice as much at most. */
const FLUSH_BYTES = 4 * 1024 * 1024;
/** Written bytes are synced behind the writer's back this often: what the death of the machine may cost, ms. */
const SYNC_EVERY_MS = 10_000;

/** Whether bytes fetched under one validator may be joined with bytes fetched under the other. */
export type SameVersion = (before: Validator, now: Validator) => boolean;

export class PartialFile {
  readonly path: string;
  private readonly data: FileHandle;
  private readonly journal: RangeJournal;
  private written: Range[] = [];
  private waiting = 0;
  private flushing: Promise<void> = Promise.resolve();
  private background: Promise<void> = Promise.resolve();
  /** All bytes that were written, confirmed or not. */
  private there: Range[];
  private unsynced: Range[] = [];
  private syncedAt = Date.now();
  private syncing = false;
  private closed = false;
  private syncFailure: Error | undefined;

  private constructor(path: string, data: FileHandle, journal: RangeJournal) {
    this.path = path;
    this.data = data;
    this.journal = journal;
    this.there = [...journal.confirmed];
  }

  /**
   * Opens or continues `<path>` with `<path>.journal`. When the validator is of another version, both are begun
   * anew (as a new file, so that an older writer cannot reach it).
   * @throws JournalTaken when a newer attempt writes it, Fault `disk_full`
   */
  static async open(
    path: string,
    owner: Owner,
    validator: Validator,
    same: SameVersion,
  ): Promise<PartialFile> {
    await onDisk(() => mkdir(dirname(path), { recursive: true }));
    const before = await readJournal(journalPath(path));
    const goesOn = before !== undefined && same(before.validator, validator);
    const known = goesOn ? within(before.confirmed, (await sizeOf(path)) ?? 0) : [];
    const journal = await RangeJournal.take(journalPath(path), owner, validator, known);
    if (known.length === 0) await rm(path, { force: true });
    const data = await onDisk(() => open(path, known.length === 0 ? 'wx+' : 'r+'));
    return new PartialFile(path, data, journal);
  }

  /** Bytes that are confirmed. */
  get confirmed(): number {
    return countBytes(this.journal.confirmed);
  }

  /** Bytes from the start on that were written without a gap. */
  get prefix(): number {
    const [first] = this.there;
    return first?.start === 0 ? first.end : 0;
  }

  /** What must still be fetched of a file of `total` bytes. */
  missing(total: number): Range[] {
    return missingRanges(this.journal.confirmed, total);
  }

  /** Writes one or more chunks at an offset; confirms by itself after every 4 MiB, while writing goes on. */
  async write(data: Uint8Array | readonly Uint8Array[], offset: number): Promise<void> {
    const chunks = data instanceof Uint8Array ? [data] : [...data];
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    await onDisk(() => writeAll(this.data, chunks, offset));
    await this.wrote({ start: offset, end: offset + size });
  }

  /** Descriptor for a thread that writes; it must have ended before this is closed. */
  get descriptor(): number {
    return this.data.fd;
  }

  /** These bytes lie in the file, whoever wrote them through it. */
  async wrote(range: Range): Promise<void> {
    this.written.push(range);
    this.there = mergeRanges([...this.there, range]);
    this.waiting += range.end - range.start;
    if (this.waiting < FLUSH_BYTES) return;
    await this.background;
    this.background = this.turn();
    // Its failure is thrown by whoever awaits it next; until then it must not count as unhandled.
    this.background.catch(() => undefined);
  }

  /** Cuts off what lies behind `size`: bytes of an earlier try that was longer. */
  async cut(size: number): Promise<void> {
    await this.flush();
    await this.data.truncate(size);
  }

  /** Confirms what was written: the next attempt finds it, whatever becomes of this process. */
  async flush(): Promise<void> {
    await this.background;
    await this.turn();
  }

  /** One flush after the other. */
  private async turn(): Promise<void> {
    const turn = this.flushing.then(() => this.flushNow());
    // The next flush must not inherit this one's failure: it fails or not by itself.
    this.flushing = turn.catch(() => undefined);
    await turn;
  }

  /** Closes; what was written since the last flush is fetched again. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flushing;
    await this.data.close();
    await this.journal.close();
  }

  private async flushNow(): Promise<void> {
    if (this.syncFailure !== undefined) throw this.syncFailure;
    const ranges = mergeRanges(this.written);
    if (ranges.length === 0) return;
    this.written = [];
    this.waiting = 0;
    await this.journal.confirm(ranges);
    this.unsynced.push(...ranges);
    if (!this.syncing && Date.now() - this.syncedAt > SYNC_EVERY_MS) void this.sync();
  }

  /** Beside the writing, through a handle of its own: closing the file must not wait for a slow disk. */
  private async sync(): Promise<void> {
    const ranges = mergeRanges(this.unsynced);
    this.unsynced = [];
    this.syncing = true;
    try {
      const file = await open(this.path, 'r');
      await file.datasync().finally(() => file.close());
      if (!this.closed) await this.journal.synced(ranges);
    } catch (error) {
      // What became of the file after its end is its next owner's matter.
      if (this.closed) return;
      const failure = diskFault(error);
      this.syncFailure =
        failure instanceof Error ? failure : new Error('the bytes cannot be synced', { cause: error });
    } finally {
      this.syncedAt = Date.now();
      this.syncing = false;
    }
  }
}

/** Bytes of a partial file that are confirmed, without opening it for writing. */
export async function confirmedBytes(path: string): Promise<number> {
  const content = await readJournal(journalPath(path));
  return content === undefined ? 0 : countBytes(within(content.confirmed, (await sizeOf(path)) ?? 0));
}

/** Removes a partial file's journal, e.g. after the whole file was moved away. */
export async function removePartial(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(journalPath(path), { force: true });
}

const journalPath = (path: string): string => `${path}.journal`;

/** One system call as a rule; a short write (a full disk comes as one) is finished piece by piece. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], offset: number): Promise<void> {
  const { bytesWritten } = await file.writev(chunks, offset);
  let before = 0;
  for (const chunk of chunks) {
    for (let at = Math.max(0, bytesWritten - before); at < chunk.length; ) {
      at += (await file.write(chunk, at, chunk.length - at, offset + before + at)).bytesWritten;
    }
    before += chunk.length;
  }
}

/** Confirmed ranges that the file is long enough for (it is shorter when somebody replaced it). */
function within(ranges: readonly Range[], size: number): Range[] {
  return ranges.filter(({ end }) => end <= size);
}
