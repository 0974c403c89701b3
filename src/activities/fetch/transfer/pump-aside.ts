// A range that a lane writes into the partial file: granted ahead, so that it never waits, and told as it lies there.
import { diskFault } from '../../../bytes/disk-fault.js';
import { LaneError } from '../../../net/lane.js';
import { type Aside, TryAgain } from './port.js';
import type { Sink } from './pump.js';
import { connectionError } from './tries.js';
import type { Span } from './work.js';

/** One step of a limit on bandwidth. */
const STEP_BYTES = 512 * 1024;
/** So much is granted ahead of what lies in the file. Nobody else can share it. */
const AHEAD_BYTES = 4 * 1024 * 1024;

/**
 * The same as `pump`, beside the main loop. When it returns or throws, nothing more will be written.
 * @throws TryAgain when it ends before its announced end, Fault `disk_full`, system errors, the signal's reason
 */
export async function pumpAside({ body, range }: Aside, span: Span, sink: Sink): Promise<void> {
  const { file, pace, came, wrote, watched } = sink;
  let [granted, at] = [span.at, span.at];
  try {
    while (at < granted || granted < Math.min(span.end, range.end)) {
      while (granted - at < AHEAD_BYTES && granted < Math.min(span.end, range.end)) {
        const step = Math.min(STEP_BYTES, span.end - granted, range.end - granted);
        granted += step;
        // Taken before anything is awaited: whoever shares this span's rest must not take these bytes as well.
        span.at = granted;
        await pace(step);
        body.grant(step);
      }
      watched.waitingSince = performance.now();
      const count = await next(body);
      watched.waitingSince = undefined;
      await file.wrote({ start: at, end: at + count });
      at += count;
      watched.bytes += count;
      came(count);
      wrote(at);
    }
  } finally {
    watched.waitingSince = undefined;
    // What was granted and did not come is asked for again.
    span.at = at;
    body.stop();
    await body.ended;
  }
}

async function next(body: Aside['body']): Promise<number> {
  try {
    const count = await body.next();
    if (count === 0) throw new TryAgain('short');
    return count;
  } catch (error) {
    if (error instanceof LaneError && error.where === 'disk') throw diskFault(error);
    throw connectionError(error);
  }
}
