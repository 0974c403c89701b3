// From a caught error to a failure note, by code only, and from a note to the failure that closes a workflow.
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  isCancellation,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type FailureNote, isFailureCode, noteFailure } from '../domain/failure.js';
import type { Stage } from '../domain/stage.js';

/** Words an error of an activity or of a child; an error that carries no code of ours is `internal`. */
export function noteOf(error: unknown): FailureNote {
  const isWrapped = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  const cause = isWrapped ? error.cause : error;
  if (cause instanceof ApplicationFailure && isFailureCode(cause.type)) {
    return noteFailure(cause.type, closingSay(cause) ?? cause.message);
  }
  if (cause instanceof TerminatedFailure) return noteFailure('terminated');
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
    details: [{ stage, blame: note.blame, say: note.say } satisfies ClosingDetails],
  });
}

interface ClosingDetails {
  readonly stage: Stage;
  readonly blame: FailureNote['blame'];
  readonly say: string;
}

/** The sentence without the remedy, from a failure that closed a workflow. */
function closingSay({ details }: ApplicationFailure): string | undefined {
  const [closing] = (details ?? []) as [Partial<ClosingDetails>?];
  return closing?.stage === undefined ? undefined : closing.say;
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
