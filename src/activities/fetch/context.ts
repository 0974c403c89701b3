// What a source is given for one attempt: where it works, whom it tells, how fast it may go, how much it may bring.
import { Context } from '@temporalio/activity';
import { uploadStaging } from '../../bytes/staging.js';
import type { FetchInput } from '../../contracts/activities.js';
import { CLIENT_SOURCES } from '../../domain/source.js';
import { startHeart } from '../support/heartbeat.js';
import type { FetchDeps } from './deps.js';
import type { FetchContext } from './source.js';

export function contextOf(deps: FetchDeps, input: FetchInput): Running {
  const { uuid, jobId, order, owner } = input;
  const { info, cancellationSignal: signal } = Context.current();
  const heart = startHeart(deps.progress, { uuid, jobId }, deps.beatsApartMs);
  let last: [done: number, total: number, note: string] = [0, 0, ''];
  const advance = (...now: typeof last): void => {
    last = now;
    const [done, total, note] = now;
    heart.beat({ stage: 'fetch', done, total, unit: 'bytes', note });
  };
  const alive = (): void => advance(...last);
  const joined = deps.bandwidth?.join({ jobId, owner: owner ?? order.by, signal, alive });
  const context: FetchContext = {
    uuid,
    jobId,
    source: order.source,
    staging: uploadStaging(deps.roots, jobId),
    owner: {
      runId: info.workflowExecution?.runId ?? '',
      attempt: info.attempt,
      since: info.currentAttemptScheduledTimestampMs,
    },
    signal,
    confirmed: () => last[0],
    advance,
    pace: joined?.pace ?? unlimited,
    admit: admissionOf(deps, input),
    leaveOut: () => undefined,
    waiting: heart.waiting,
  };
  return { context, leave: joined?.leave ?? (() => undefined) };
}

interface Running {
  readonly context: FetchContext;
  leave(): void;
}

/** What clients send was asked for at its beginning. */
function admissionOf(
  { admit }: FetchDeps,
  { jobId, order, owner = order.by }: FetchInput,
): FetchContext['admit'] {
  const isSent = CLIENT_SOURCES.some((kind) => kind === order.source.kind);
  if (admit === undefined || isSent) return unlimited;
  return (bytes) => admit({ jobId, owner }, bytes);
}

const unlimited = async (): Promise<void> => undefined;
