// From a caught error to a failure note, by code only, and from a note to the failure that closes a workflow.
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type FailureNote, isFailureCode, noteFailure } from '../domain/failure.js';
import type { Stage } from '../domain/stage.js';

/** Words an error of an activity; an error that carries no code of ours is `internal`. */
export function noteOf(error: unknown): FailureNote {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure && isFailureCode(cause.type)) {
    return noteFailure(cause.type, cause.message);
  }
  if (cause instanceof CancelledFailure || isCancellation(error)) return noteFailure('cancelled');
  if (cause instanceof TimeoutFailure) return noteFailure('internal', timeoutWords(cause));
  return noteFailure('internal', cause instanceof Error ? cause.message : String(cause));
}

function timeoutWords(timeout: TimeoutFailure): string {
  if (timeout.timeoutType === 'HEARTBEAT') return 'The worker that did it was lost, again and again.';
  return `It took longer than it may (${timeout.timeoutType}).`;
}

/** The failure that closes a workflow: its type is the code, so that lists in Temporal Web tell what happened. */
export function closingFailure(note: FailureNote, stage: Stage): ApplicationFailure {
  return ApplicationFailure.create({
    type: note.code,
    message: `${note.say} ${note.remedy}`,
    nonRetryable: true,
    details: [{ stage, blame: note.blame }],
  });
}

/** A stage's final failure on its way to the end of the run. */
export class StageFailed extends Error {
  override readonly name = 'StageFailed';
  readonly stage: Stage;
  readonly note: FailureNote;

  constructor(stage: Stage, note: FailureNote) {
    super(note.say);
    this.stage = stage;
    this.note = note;
  }
}
