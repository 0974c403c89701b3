// The missing ranges of a file by several streams, whose number follows the rate that they bring together.
import type { FileFollower, FileHash } from '../../../bytes/hash.js';
import type { PartialFile } from '../../../bytes/partial-file.js';
import { runCrew } from './crew.js';
import type { TransferJob } from './job.js';
import { request, requestAside } from './open.js';
import { type Aside, type Opened, SourceChanged, sameVersion, TryAgain } from './port.js';
import { pump, type Sink } from './pump.js';
import { pumpAside } from './pump-aside.js';
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
  readonly follower: FileFollower | undefined;
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
    const opened = this.takeOpened(span);
    if (opened !== undefined) await this.trying(tries, signal, () => this.take(opened, span, tries));
    // After a failure the other way is tried: it may do, and it has the words when it does not.
    for (let aside = true; span.at < span.end; ) {
      const went = await this.trying(tries, signal, () => this.ask(span, signal, tries, aside));
      if (!went) aside = !aside;
    }
  }

  /** @returns false when it is to be tried again */
  private async trying(tries: Tries, signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TryAgain && error.tooMuch) this.beside.count.refused(performance.now());
      await tries.next(error, signal);
      return false;
    }
  }

  private async ask(span: Span, signal: AbortSignal, tries: Tries, aside: boolean): Promise<void> {
    const { job, file } = this;
    const { first } = this.beside;
    const asked = { start: span.at, end: span.end };
    if (aside && job.opener.aside !== undefined) {
      const came = await requestAside({ ...job, signal }, job.opener.aside, first, asked, file.descriptor);
      if (!sameVersion(first.validator, came.validator)) throw await letGoAside(came);
      const sink = this.sink((why) => came.body.stop(why), tries);
      await pumpAside(came, span, sink).finally(() => this.beside.watch.drop(sink.watched));
      return;
    }
    const body = await request({ ...job, signal }, first.validator, asked);
    if (!body.partial || !sameVersion(first.validator, body.validator)) throw letGo(body);
    await this.take(body, span, tries);
  }

  private takeOpened(span: Span): Opened | undefined {
    if (this.opened?.range.start !== span.at) return undefined;
    const { opened } = this;
    this.opened = undefined;
    return opened;
  }

  private async take(body: Opened, span: Span, tries: Tries): Promise<void> {
    const sink = this.sink((why) => void body.body.destroy(why), tries);
    await pump(this.job.opener, body, span, sink).finally(() => this.beside.watch.drop(sink.watched));
  }

  /** Where the bytes of one body go. It is watched until it is dropped. */
  private sink(cut: (why: TryAgain) => void, tries: Tries): Sink {
    const { job, file, beside } = this;
    const came = (bytes: number): void => {
      if (bytes > 0) tries.advanced();
      this.done += bytes;
      job.advance(this.done, beside.total);
    };
    const wrote = (): void => beside.follower?.advance(file.prefix);
    return { file, pace: job.pace, came, wrote, watched: watchBody(beside.watch, cut) };
  }
}

async function letGoAside({ body }: Aside): Promise<SourceChanged> {
  body.stop();
  await body.ended;
  return new SourceChanged('another version than the bytes before');
}

function letGo({ body }: Opened): SourceChanged {
  body.destroy();
  return new SourceChanged('another version than the bytes before');
}
