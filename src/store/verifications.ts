// Rows of jobs that prove published products again, and the mark that they leave at their dataset.
import type { Filter, UpdateFilter } from 'mongodb';
import type { StoredProgress, VerificationDocument } from '../contracts/documents.js';
import type { JobChange, JobOrder } from '../contracts/verification.js';
import { noteFailure } from '../domain/failure.js';
import type { Store } from './mongo.js';

/** Makes the row unless it is there. */
export async function insertVerification(store: Store, { jobId, uuid, by }: JobOrder): Promise<void> {
  const now = new Date();
  const fields: Omit<VerificationDocument, 'job_id'> = {
    dataset_uuid: uuid,
    user_email: by,
    status: 'pending',
    result: null,
    created_at: now,
    started_at: null,
    completed_at: null,
    updated_at: now,
    sluice: { runId: null, revision: 0, failure: null },
  };
  await store.verifications.updateOne({ job_id: jobId }, { $setOnInsert: fields }, { upsert: true });
}

/** A row whose workflow never started. */
export async function forgetVerification(store: Store, jobId: string): Promise<void> {
  await store.verifications.deleteOne({ job_id: jobId, 'sluice.runId': null });
}

export async function findVerification(store: Store, jobId: string): Promise<VerificationDocument | null> {
  return await store.verifications.findOne({ job_id: jobId }, { projection: { _id: 0 } });
}

/** The verifications of a dataset, newest first. */
export async function verificationsOf(
  store: Store,
  uuid: string,
  limit: number,
): Promise<readonly VerificationDocument[]> {
  return await store.verifications
    .find({ dataset_uuid: uuid }, { projection: { _id: 0 } })
    .sort({ created_at: -1, job_id: -1 })
    .limit(limit)
    .toArray();
}

/** Shows a change of a job, its line of the history, and what it found; late and repeated writes change nothing. */
export async function writeJobChange(store: Store, change: JobChange, runId: string): Promise<void> {
  const { order, revision, to, result, failure } = change;
  const at = new Date(change.at);
  const isFinal = to !== 'running' && to !== 'pending';
  const older: Filter<VerificationDocument> = {
    $or: [{ 'sluice.runId': { $ne: runId } }, { 'sluice.revision': { $lt: revision } }],
  };
  const update: UpdateFilter<VerificationDocument> = {
    $set: {
      status: to,
      result,
      updated_at: at,
      ...(to === 'running' ? { started_at: at } : {}),
      completed_at: isFinal ? at : null,
      'sluice.runId': runId,
      'sluice.revision': revision,
      'sluice.failure': failure,
    },
  };
  await store.verifications.updateOne({ job_id: order.jobId, ...older }, update);
  await noteChange(store, change, runId, at);
  if (result !== null) {
    const { outcome } = result;
    const verified = { at, outcome, jobId: order.jobId, manifest: order.manifest.digest };
    const before: Filter<{ sluice: { verified?: { at: Date } } }> = {
      $or: [{ 'sluice.verified.at': { $exists: false } }, { 'sluice.verified.at': { $lte: at } }],
    };
    await store.datasets.updateOne(
      { uuid: order.uuid, ...(before as object) },
      { $set: { 'sluice.verified': verified } },
    );
  }
}

async function noteChange(store: Store, change: JobChange, runId: string, at: Date): Promise<void> {
  const { order, revision, from, to, actor, reason } = change;
  const entity = `job:${order.jobId}`;
  await store.history.updateOne(
    { _id: `${entity}/${runId}/${revision}` },
    { $setOnInsert: { entity, dataset_uuid: order.uuid, runId, revision, from, to, at, actor, reason } },
    { upsert: true },
  );
}

/** Shows how far it is. */
export async function writeVerificationProgress(
  store: Store,
  jobId: string,
  progress: StoredProgress,
): Promise<void> {
  const running = { job_id: jobId, status: 'running' as const };
  await store.verifications.updateOne(running, {
    $set: { 'sluice.progress': progress, updated_at: progress.at },
  });
}

/** Those that have not ended and were not written since `before`: their run may be gone. At most 200, oldest first. */
export async function quietVerifications(
  store: Store,
  before: Date,
): Promise<readonly VerificationDocument[]> {
  return await store.verifications
    .find(
      { status: { $in: ['pending', 'running'] }, updated_at: { $lt: before } },
      { projection: { _id: 0 } },
    )
    .sort({ updated_at: 1 })
    .limit(200)
    .toArray();
}

/** Shows a run that ended without a word as an error of the system, unless its row changed meanwhile. */
export async function failLostVerification(
  store: Store,
  { job_id, dataset_uuid, status, sluice }: VerificationDocument,
  runId: string,
): Promise<boolean> {
  const at = new Date();
  const failure = noteFailure('terminated');
  const revision = sluice.revision + 1;
  const { modifiedCount } = await store.verifications.updateOne(
    { job_id, status, 'sluice.revision': sluice.revision, 'sluice.runId': sluice.runId },
    {
      $set: {
        ...{ status: 'failed', updated_at: at, completed_at: at },
        // Like a write of the run itself, so that a late one of it does not open the row again.
        ...{ 'sluice.runId': runId, 'sluice.revision': revision, 'sluice.failure': failure },
      },
    },
  );
  if (modifiedCount === 0) return false;
  const entity = `job:${job_id}`;
  const change = { from: status, to: 'failed', at, actor: 'keeper', reason: failure.say } as const;
  await store.history.updateOne(
    { _id: `${entity}/${runId}/repair` },
    { $setOnInsert: { entity, dataset_uuid, runId, revision, ...change } },
    { upsert: true },
  );
  return true;
}
