// The one place where errors of our own become failures that Temporal knows.
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';
import { faultOf } from '../../domain/fault.js';

/**
 * The failure an activity ends with: type = code, message = the sentence for the user, details = [facts].
 * Errors without a code are `internal` and tried again. Cancellations pass through.
 */
export function asFailure(error: unknown): ApplicationFailure | CancelledFailure {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const fault = faultOf(error);
  if (fault === undefined) {
    const message = error instanceof Error ? error.message : String(error);
    return ApplicationFailure.create({ type: 'internal', message, ...causeOf(error) });
  }
  return ApplicationFailure.create({
    type: fault.code,
    message: fault.message,
    nonRetryable: !fault.row.retryable,
    details: [fault.facts],
  });
}

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
