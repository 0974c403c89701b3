// Progress of bytes: written by the activity that moves them, at most once a second, never a status.
import type { UpdateFilter } from 'mongodb';
import type { DatasetDocument, JobDocument, StoredProgress } from '../contracts/documents.js';
import { DATASET_SETTLED } from '../domain/dataset.js';
import type { Store } from './mongo.js';

/** Only a later attempt of the same run, or another run, may replace what a measurement says. */
const guard = (progress: StoredProgress) => ({
  $or: [
    { 'sluice.progress': null },
    { 'sluice.progress.runId': { $ne: progress.runId } },
    { 'sluice.progress.stage': { $ne: progress.stage } },
    { 'sluice.progress.attempt': { $lte: progress.attempt } },
  ],
});

/** Shows how far an upload is, and which worker brings it. */
export async function writeUploadProgress(
  store: Store,
  jobId: string,
  progress: StoredProgress,
  workerId: string,
): Promise<void> {
  // A total that is not known yet says nothing against one that was told before.
  const total = progress.total > 0 ? { bytes_total: progress.total } : {};
  const bytes = progress.unit === 'bytes' ? { bytes_uploaded: progress.done, ...total } : {};
  const update: UpdateFilter<JobDocument> = {
    $set: { ...bytes, worker_id: workerId, 'sluice.progress': progress, updated_at: progress.at },
  };
  await store.jobs.updateOne({ job_id: jobId, ...guard(progress) }, update);
}

/** Shows how far a stage of a dataset is; too late for a dataset that settled meanwhile. */
export async function writeDatasetProgress(
  store: Store,
  uuid: string,
  progress: StoredProgress,
): Promise<void> {
  const update: UpdateFilter<DatasetDocument> = {
    $set: { 'sluice.progress': progress, 'sluice.stage': progress.stage },
  };
  const open = { status: { $nin: [...DATASET_SETTLED] } };
  await store.datasets.updateOne({ uuid, ...open, ...guard(progress) }, update);
}
