// What the clean-up after an upload must know of it.
import type { ControlActivities } from '../contracts/activities.js';
import type { UploadOrder } from '../contracts/workflow.js';

type Discard = Parameters<ControlActivities['discardUpload']>[0];

/** @param forgetSecret nobody will ask for it again */
export function discardOf(
  order: Pick<UploadOrder, 'jobId'> & Partial<UploadOrder>,
  forgetSecret: boolean,
): Discard {
  const { jobId, source } = order;
  return { jobId, forgetSecret, ...(source?.kind === 'awaited' ? { awaited: true } : {}) };
}
