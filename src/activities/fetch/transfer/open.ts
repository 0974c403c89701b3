// Asking a source for a range: again and again where that can help, and not longer than a stall may take.
import type { Validator } from '../../../bytes/journal.js';
import type { Range } from '../../../bytes/ranges.js';
import { type Aside, type Opened, type RangeOpener, TryAgain } from './port.js';
import { connectionError, Tries, type TryLimits } from './tries.js';

interface Asking<O extends Opened> {
  readonly opener: RangeOpener<O>;
  readonly settings: TryLimits & { readonly stallMs: number };
  readonly signal: AbortSignal;
}

/** @throws Fault, SourceChanged, the signal's reason */
export async function open<O extends Opened>(
  job: Asking<O>,
  validator: Validator | undefined,
  asked: Range,
): Promise<O> {
  const tries = new Tries(job.settings, job.opener);
  for (;;) {
    try {
      return await request(job, validator, asked);
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
  }
}

/** Asks once. @throws TryAgain as well */
export async function request<O extends Opened>(
  { opener, settings, signal }: Asking<O>,
  validator: Validator | undefined,
  asked: Range | undefined,
): Promise<O> {
  return await inTime(
    settings.stallMs,
    signal,
    (ours) => opener.open(asked, validator, ours),
    // The body must hear of the end as well.
    ({ body }, release) => void body.once('close', release),
  );
}

/** The same beside the main loop. */
export async function requestAside<O extends Opened>(
  { settings, signal }: Asking<O>,
  aside: NonNullable<RangeOpener<O>['aside']>,
  first: O,
  asked: Range,
  file: number,
): Promise<Aside> {
  return await inTime(
    settings.stallMs,
    signal,
    (ours) => aside(asked, first, file, ours),
    ({ body }, release) => void body.ended.then(release),
  );
}

/** @param over hears what came, and calls the other one when it has ended */
async function inTime<T>(
  stallMs: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
  over: (came: T, release: () => void) => void,
): Promise<T> {
  signal.throwIfAborted();
  // By hand, because signals that are joined (AbortSignal.any) are kept for as long as the longest lives.
  const ours = new AbortController();
  const passOn = (): void => ours.abort(signal.reason);
  const release = (): void => signal.removeEventListener('abort', passOn);
  signal.addEventListener('abort', passOn, { once: true });
  const late = new TryAgain('broken', { cause: new Error('no answer in time') });
  const timer = setTimeout(() => ours.abort(late), stallMs);
  try {
    const came = await ask(ours.signal);
    over(came, release);
    return came;
  } catch (error) {
    release();
    throw ours.signal.reason === late ? late : connectionError(error);
  } finally {
    clearTimeout(timer);
  }
}
