// Heartbeats that mean something: sent because work advanced, typed, throttled.
import { Context } from '@temporalio/activity';
import type { Progress } from '../../domain/progress.js';

const APART_MS = 200;
const WAITING_MS = 4_000;

/** Reading 64 MiB (the distance of two signs of life while hashing) takes no longer on any disk worth its name. */
export const SLOW_DISK_MS = 120_000;

/** Progress with whom it belongs to and who measured it. */
export interface ProgressReport extends Progress {
  readonly uuid: string;
  /** Set when it is an upload's progress, not the dataset's alone. */
  readonly jobId?: string;
  readonly runId: string;
  readonly attempt: number;
}

/** Where progress is shown to users. Must not throw; may drop reports that come too fast. */
export interface ProgressSink {
  report(progress: ProgressReport): void;
}

export interface Heart {
  /** Tells Temporal and the sink that work advanced; reports less than 200 ms apart are dropped. */
  beat(progress: Progress): void;
  /** Tells Temporal alone that the activity lives, before anything can be said of its progress. */
  alive(): void;
  /**
   * Does work whose waits are bounded by time-outs of their own (a stall limit, a back-off) and says now and then
   * that the activity lives; not for longer than `boundMs` after the last beat, so that a hung one is found.
   */
  waiting<T>(work: Promise<T>, boundMs: number): Promise<T>;
}

/** The heart of the running activity; call it at the activity's beginning. */
export function startHeart(
  sink: ProgressSink,
  subject: { uuid: string; jobId?: string },
  apartMs = APART_MS,
): Heart {
  const context = Context.current();
  const { attempt, workflowExecution } = context.info;
  const runId = workflowExecution?.runId ?? '';
  let last: Progress | undefined;
  let advanced = Date.now();
  let sent = 0;
  let endTold = '';
  const send = (): void => {
    sent = Date.now();
    context.heartbeat(last);
  };

  return {
    beat(progress) {
      last = progress;
      advanced = Date.now();
      // The end of a stage is always told, once: a stage may look through many files when it has all bytes.
      const end = `${progress.stage} ${progress.done}`;
      const atEnd = progress.total > 0 && progress.done >= progress.total && end !== endTold;
      if (Date.now() - sent < apartMs && !atEnd) return;
      if (atEnd) endTold = end;
      send();
      sink.report({ ...progress, ...subject, runId, attempt });
    },

    alive() {
      advanced = Date.now();
      if (advanced - sent >= apartMs) send();
    },

    async waiting(work, boundMs) {
      const timer = setInterval(() => {
        if (Date.now() - advanced < boundMs) send();
      }, WAITING_MS);
      try {
        return await work;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
