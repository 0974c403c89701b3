// What the clean-up after an upload must know of it.
import type { ControlActivities } from '../contracts/activities.js';
import type { UploadOrder } from '../contracts/workflow.js';

type Discard = Parameters<ControlActivities['discardUpload']>[0];
type Known = Pick<UploadOrder, 'jobId'> & Partial<UploadOrder>;

/** After a failure: a retry may ask for its secret. */
export const discardFailed = (order: Known): Discard => discardOf(order, false);

/** After it was cancelled: nobody will ask for its secret again, and it stays cancelled. */
export const discardCancelled = (order: Known, uuid: string): Discard => ({
  ...discardOf(order, true),
  cancelledIn: uuid,
});

function discardOf({ jobId, source }: Known, forgetSecret: boolean): Discard {
  return { jobId, forgetSecret, ...(source?.kind === 'awaited' ? { awaited: true } : {}) };
}
