// Asking a source for a range: again and again where that can help, and not longer than a stall may take.
import type { Validator } from '../../../bytes/journal.js';
import type { Range } from '../../../bytes/ranges.js';
import { type Opened, type RangeOpener, TryAgain } from './port.js';
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
  signal.throwIfAborted();
  // By hand, because signals that are joined (AbortSignal.any) are kept for as long as the longest lives.
  const ours = new AbortController();
  const passOn = (): void => ours.abort(signal.reason);
  const release = (): void => signal.removeEventListener('abort', passOn);
  signal.addEventListener('abort', passOn, { once: true });
  const late = new TryAgain('broken', { cause: new Error('no answer in time') });
  const timer = setTimeout(() => ours.abort(late), settings.stallMs);
  try {
    const opened = await opener.open(asked, validator, ours.signal);
    // The body must hear of the end as well.
    opened.body.once('close', release);
    return opened;
  } catch (error) {
    release();
    throw ours.signal.reason === late ? late : connectionError(error);
  } finally {
    clearTimeout(timer);
  }
}
