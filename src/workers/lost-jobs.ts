// Jobs on their own whose run ended without a word, because somebody terminated it: their rows are settled here.
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { VerificationDocument } from '../contracts/documents.js';
import { jobWorkflowId } from '../domain/ids.js';
import type { Store } from '../store/mongo.js';
import { failLostVerification, forgetVerification, quietVerifications } from '../store/verifications.js';

/** What a living run does not leave unwritten for so long, ms. */
const QUIET_MS = 8_000;
/** One job is asked after at most this often, ms. */
const ASK_AGAIN_MS = 20_000;
/** A row whose run was never started is kept so long: its request may still be under way, ms. */
const UNSTARTED_MS = 60_000;

export interface LostJobsDeps {
  readonly store: Store;
  readonly client: Client;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
}

/** A round of the keeper. */
export function createLostJobs({ store, client, log }: LostJobsDeps): () => Promise<void> {
  const asked = new Map<string, number>();
  return async () => {
    const now = Date.now();
    for (const row of await quietVerifications(store, new Date(now - QUIET_MS))) {
      if (now - (asked.get(row.job_id) ?? 0) < ASK_AGAIN_MS) continue;
      asked.set(row.job_id, now);
      if (await settled(store, client, row)) log('the row of a lost job was settled', { job: row.job_id });
    }
    for (const [id, at] of asked) if (now - at > ASK_AGAIN_MS * 3) asked.delete(id);
  };
}

/** "Not there" is not "terminated", since Temporal forgets old runs; only a run that nobody ever saw never was. */
async function settled(store: Store, client: Client, row: VerificationDocument): Promise<boolean> {
  try {
    const { runId, status } = await client.workflow.getHandle(jobWorkflowId(row.job_id)).describe();
    if (!['TERMINATED', 'TIMED_OUT'].includes(status.name)) return false;
    return await failLostVerification(store, row, runId);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const wasStarted = row.sluice.runId !== null || Date.now() - row.created_at.getTime() < UNSTARTED_MS;
    if (wasStarted) return false;
    await forgetVerification(store, row.job_id);
    return true;
  }
}
