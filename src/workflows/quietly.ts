// A message that makes no sense must not stop a workflow.
import { log, TemporalFailure } from '@temporalio/workflow';

/** Does what a message asks for; a message that cannot be understood, or comes too late, is logged and forgotten. */
export function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof TemporalFailure) throw error;
    log.warn('a message was ignored', { error: String(error) });
  }
}
