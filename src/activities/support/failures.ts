// The one place where errors of our own become failures that Temporal knows.
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { faultOf } from '../../domain/fault.js';
import { STAGE_TRIES, type Stage } from '../../domain/stage.js';

/**
 * The failure an activity ends with: type = code, message = the sentence for the user, details = [facts].
 * Errors without a code are `internal` and tried again. Cancellations pass through.
 * @param last nothing is tried again after this attempt
 * @param restMs when the next attempt begins, in place of what the options say
 */
export function asFailure(
  error: unknown,
  last = false,
  restMs?: number,
): ApplicationFailure | CancelledFailure {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const fault = faultOf(error);
  const rest = restMs === undefined ? {} : { nextRetryDelay: restMs };
  if (fault === undefined) {
    const message = error instanceof Error ? error.message : String(error);
    return ApplicationFailure.create({
      type: 'internal',
      message,
      nonRetryable: last,
      ...rest,
      ...causeOf(error),
    });
  }
  return ApplicationFailure.create({
    type: fault.code,
    message: fault.message,
    nonRetryable: last || !fault.row.retryable,
    details: [fault.facts],
    ...rest,
  });
}

/** Whether the running attempt of a stage is the last, should it fail by itself. */
export const isLastTry = (stage: Stage): boolean => Context.current().info.attempt >= STAGE_TRIES[stage];

const LONGEST_REST_MS = 600_000;

/** How long a source that failed is left alone before the next attempt, ms: twice as long each time. */
export const restMs = (): number =>
  Math.min(LONGEST_REST_MS, 1_000 * 2 ** (Context.current().info.attempt - 1));

/** Why the running activity must stop; undefined = it need not. */
export type StopReason = 'asked' | 'leaving';

/**
 * `asked`: the workflow cancelled the activity (pause or cancel). `leaving`: this worker shuts down, or the server
 * gave the attempt up; the next attempt goes on.
 */
export function stopReason(context = Context.current()): StopReason | undefined {
  if (!context.cancellationSignal.aborted) return undefined;
  return context.cancellationDetails?.cancelRequested === true ? 'asked' : 'leaving';
}

/** What an activity throws when its worker leaves: a failure that is tried again at once, elsewhere. */
export function leavingFailure(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'internal',
    message: 'The worker stopped; the work goes on in another attempt.',
    nextRetryDelay: 500,
    category: ApplicationFailureCategory.BENIGN,
  });
}

function causeOf(error: unknown): { cause: Error } | undefined {
  return error instanceof Error ? { cause: error } : undefined;
}
