// Waiting for an upload that another run of the dataset started.
import { Context } from '@temporalio/activity';
import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { UploadReport } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import { uploadWorkflowId } from '../../domain/ids.js';

const LOOK_EVERY_MS = 2_000;

/** Looks until the upload's workflow has closed; then ends as it ended. */
export async function watchUpload(client: Client, jobId: string): Promise<UploadReport> {
  const context = Context.current();
  const upload = client.workflow.getHandle(uploadWorkflowId(jobId));
  try {
    while ((await upload.describe()).status.name === 'RUNNING') {
      context.heartbeat();
      await context.sleep(LOOK_EVERY_MS);
    }
    return (await upload.result()) as UploadReport;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new Fault('terminated');
    if (error instanceof WorkflowFailedError) throw finalFailure(error);
    throw error;
  }
}

/** The failure of a closed workflow as the failure of the activity that watched it: trying again changes nothing. */
function finalFailure({ cause }: WorkflowFailedError): Error {
  if (cause instanceof ApplicationFailure) {
    const { message, type, details } = cause;
    return ApplicationFailure.create({
      message,
      ...(type ? { type } : {}),
      ...(details ? { details } : {}),
      nonRetryable: true,
    });
  }
  const type = cause instanceof CancelledFailure ? 'cancelled' : 'terminated';
  return ApplicationFailure.create({ type, message: cause?.message ?? type, nonRetryable: true });
}
