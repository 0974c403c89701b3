// Rows whose run ended without a last word, because somebody terminated it.
import type { DatasetDocument } from '../contracts/documents.js';
import { DATASET_SETTLED, type DatasetStatus, routeTo } from '../domain/dataset.js';
import { type FailureNote, noteFailure } from '../domain/failure.js';
import { UPLOAD_FINAL } from '../domain/upload.js';
import type { Store } from './mongo.js';

/** Rows that are open and were not written since `before`: their run may be gone. Oldest first, at most 200. */
export async function suspects(store: Store, before: Date): Promise<readonly DatasetDocument[]> {
  return await store.datasets
    .find(
      {
        status: { $nin: [...DATASET_SETTLED, 'submitted'] },
        sluice: { $exists: true },
        updated_at: { $lt: before },
      },
      { projection: { _id: 0 } },
    )
    .sort({ updated_at: 1 })
    .limit(200)
    .toArray();
}

/** Shows a terminated run as an error of the system, unless its row changed meanwhile. */
export async function repairTerminated(store: Store, row: DatasetDocument, runId: string): Promise<boolean> {
  const failure = noteFailure('terminated');
  const to = errorStatus(row.status);
  const at = new Date();
  const revision = row.sluice.revision + 1;
  const { modifiedCount } = await store.datasets.updateOne(
    {
      uuid: row.uuid,
      status: row.status,
      'sluice.revision': row.sluice.revision,
      'sluice.runId': row.sluice.runId,
    },
    {
      $set: {
        status: to,
        status_message: failure.say,
        error_message: `${failure.say} ${failure.remedy}`,
        updated_at: at,
        'sluice.runId': runId,
        'sluice.revision': revision,
        'sluice.status': to,
        'sluice.failure': failure,
      },
    },
  );
  if (modifiedCount === 0) return false;
  await noteHistory(store, { row, runId, revision, to, at });
  await failUploads(store, row.uuid, failure, at);
  return true;
}

/** The error state the table has for an open status. */
function errorStatus(status: DatasetStatus): DatasetStatus {
  const errors = [
    'upload error',
    'unzip error',
    'conversion error',
    'sync error',
    'compression error',
  ] as const;
  return errors.find((error) => routeTo(status, error)?.length === 1) ?? 'conversion error';
}

async function noteHistory(
  store: Store,
  note: { row: DatasetDocument; runId: string; revision: number; to: DatasetStatus; at: Date },
): Promise<void> {
  const { row, runId, revision, to, at } = note;
  const entity = `dataset:${row.uuid}`;
  await store.history.updateOne(
    { _id: `${entity}/${runId}/repair` },
    {
      $setOnInsert: {
        entity,
        dataset_uuid: row.uuid,
        runId,
        revision,
        from: row.status,
        to,
        at,
        actor: 'keeper',
        reason: 'terminated in Temporal',
      },
    },
    { upsert: true },
  );
}

async function failUploads(store: Store, uuid: string, failure: FailureNote, at: Date): Promise<void> {
  await store.jobs.updateMany(
    { dataset_uuid: uuid, upload_status: { $nin: [...UPLOAD_FINAL] } },
    {
      $set: {
        status: 'failed',
        upload_status: 'failed',
        error: `${failure.say} ${failure.remedy}`,
        updated_at: at,
        completed_at: at,
        'sluice.failure': failure,
      },
    },
  );
}
