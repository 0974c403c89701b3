// The missing ranges of a file by several streams, whose number follows the rate that they bring together.
import type { FileHash } from '../../../bytes/hash.js';
import type { Follower } from '../../../bytes/hash-follow.js';
import type { PartialFile } from '../../../bytes/partial-file.js';
import { runCrew } from './crew.js';
import type { TransferJob } from './job.js';
import { request } from './open.js';
import { type Opened, SourceChanged, sameVersion, TryAgain } from './port.js';
import { pump } from './pump.js';
import { StreamCount } from './stream-count.js';
import { Tries } from './tries.js';
import { Watch, watchBody } from './watch.js';
import { type Span, Work } from './work.js';

/**
 * @param first the answer that is open already
 * @param total bytes of the whole file
 * @throws SourceChanged, Fault, the signal's reason, system errors
 */
export async function fillRanges<O extends Opened>(
  job: TransferJob<O>,
  file: PartialFile,
  first: O,
  total: number,
): Promise<FileHash | undefined> {
  const { settings } = job;
  const work = new Work(file.missing(total), settings.pieceBytes);
  const count = new StreamCount(total > settings.parallelAbove ? settings.streams : 1);
  const watch = new Watch(settings.stallMs);
  const follower = await job.follow?.(first);
  const filling = new Filling(job, file, { first, total, count, watch, follower });
  try {
    await runCrew({
      count,
      budget: settings.budget,
      signal: job.signal,
      moved: () => filling.done,
      async work(signal) {
        const span = work.take();
        if (span === undefined) return false;
        await filling.fill(span, signal);
        work.done(span);
        return true;
      },
    });
    return await follower?.finish(total);
  } catch (error) {
    follower?.drop();
    throw error;
  } finally {
    watch.end();
  }
}

interface Beside {
  readonly first: Opened;
  readonly total: number;
  readonly count: StreamCount;
  readonly watch: Watch;
  readonly follower: Follower | undefined;
}

class Filling<O extends Opened> {
  done: number;
  private readonly job: TransferJob<O>;
  private readonly file: PartialFile;
  private readonly beside: Beside;
  /** The answer that was there before the streams; the span that begins with it takes it. */
  private opened: Opened | undefined;

  constructor(job: TransferJob<O>, file: PartialFile, beside: Beside) {
    this.job = job;
    this.file = file;
    this.beside = beside;
    this.opened = beside.first;
    this.done = file.confirmed;
    beside.follower?.advance(file.prefix);
    job.advance(this.done, beside.total);
  }

  /** Fetches a span to its end; goes on where it was cut. */
  async fill(span: Span, signal: AbortSignal): Promise<void> {
    const tries = new Tries(this.job.settings, this.job.opener);
    let body = this.takeOpened(span);
    while (span.at < span.end) {
      try {
        const { first } = this.beside;
        const asked = { start: span.at, end: span.end };
        body ??= await request({ ...this.job, signal }, first.validator, asked);
        if (!body.partial || !sameVersion(first.validator, body.validator)) throw letGo(body);
        await this.take(body, span, tries);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof TryAgain && error.tooMuch) this.beside.count.refused(performance.now());
        await tries.next(error, signal);
      }
      body = undefined;
    }
  }

  private takeOpened(span: Span): Opened | undefined {
    if (this.opened?.range.start !== span.at) return undefined;
    const { opened } = this;
    this.opened = undefined;
    return opened;
  }

  private async take(body: Opened, span: Span, tries: Tries): Promise<void> {
    const { job, file, beside } = this;
    const watched = watchBody(beside.watch, body.body);
    const came = (bytes: number): void => {
      if (bytes > 0) tries.advanced();
      this.done += bytes;
      job.advance(this.done, beside.total);
    };
    const wrote = (): void => beside.follower?.advance(file.prefix);
    try {
      await pump(job.opener, body, span, { file, pace: job.pace, came, wrote, watched });
    } finally {
      beside.watch.drop(watched);
    }
  }
}

function letGo({ body }: Opened): SourceChanged {
  body.destroy();
  return new SourceChanged('another version than the bytes before');
}
