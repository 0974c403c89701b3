// A workflow that was cancelled by our own command shows in Temporal as cancelled, not as failed.
import { type CancellationScope, workflowInfo } from '@temporalio/workflow';
import { requestCancellation } from './proxies.js';

/**
 * Makes sure that Temporal knows that this run is being cancelled: a run can close as cancelled only when that was
 * requested, and it cannot request it of itself (the server answers "not found").
 */
export async function beCancelled(root: CancellationScope): Promise<void> {
  if (root.consideredCancelled) return;
  const { workflowId, runId } = workflowInfo();
  await requestCancellation({ workflowId, runId });
}
