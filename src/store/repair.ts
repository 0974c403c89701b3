// Rows whose run ended without a last word, because somebody terminated it.
import type { Filter } from 'mongodb';
import type { DatasetDocument } from '../contracts/documents.js';
import { DATASET_SETTLED, type DatasetStatus, routeTo } from '../domain/dataset.js';
import { type FailureNote, noteFailure } from '../domain/failure.js';
import { UPLOAD_FINAL } from '../domain/upload.js';
import type { Store } from './mongo.js';

/** The last row of the page before. */
export type SuspectCursor = Pick<DatasetDocument, 'uuid' | 'updated_at'>;

/**
 * A page of the rows that are open and were not written since `before`: their run may be gone. Oldest first.
 * @param page where it begins (default: at the oldest) and how many rows it has (default 200)
 */
export async function suspects(
  store: Store,
  before: Date,
  { after, limit = 200 }: { readonly after?: SuspectCursor | undefined; readonly limit?: number } = {},
): Promise<readonly DatasetDocument[]> {
  const quiet: Filter<DatasetDocument> = {
    status: { $nin: [...DATASET_SETTLED, 'submitted'] },
    sluice: { $exists: true },
    updated_at: { $lt: before },
  };
  const beyond: Filter<DatasetDocument> =
    after === undefined
      ? {}
      : {
          $or: [
            { updated_at: { $gt: after.updated_at } },
            { updated_at: after.updated_at, uuid: { $gt: after.uuid } },
          ],
        };
  return await store.datasets
    .find({ ...quiet, ...beyond }, { projection: { _id: 0 } })
    .sort({ updated_at: 1, uuid: 1 })
    .limit(limit)
    .toArray();
}

/** Whether its API process died between its first row and its upload's: no workflow was told, and none will be. */
export async function isForsaken(store: Store, { uuid, sluice }: DatasetDocument): Promise<boolean> {
  return (
    sluice.runId === null && (await store.jobs.countDocuments({ dataset_uuid: uuid }, { limit: 1 })) === 0
  );
}

/** Shows a run that ended without a word as an error of the system, unless its row changed meanwhile. */
export async function repairTerminated(
  store: Store,
  row: DatasetDocument,
  runId: string | null,
  failure = noteFailure('terminated'),
): Promise<boolean> {
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
  await noteHistory(store, { row, runId, revision, to, at, say: failure.say });
  await failUploads(store, { uuid: row.uuid, runId, revision, failure, at });
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
  note: {
    row: DatasetDocument;
    runId: string | null;
    revision: number;
    to: DatasetStatus;
    at: Date;
    say: string;
  },
): Promise<void> {
  const { row, runId, revision, to, at, say } = note;
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
        reason: say,
      },
    },
    { upsert: true },
  );
}

/** Not those whose bytes still come: their receiver gives them to a new run, or the keeper does when it dies. */
async function failUploads(
  store: Store,
  note: { uuid: string; runId: string | null; revision: number; failure: FailureNote; at: Date },
): Promise<void> {
  const { uuid, runId, revision, failure, at } = note;
  await store.jobs.updateMany(
    { dataset_uuid: uuid, upload_status: { $nin: [...UPLOAD_FINAL] }, receiver: null },
    {
      $set: {
        status: 'failed',
        upload_status: 'failed',
        error: `${failure.say} ${failure.remedy}`,
        updated_at: at,
        completed_at: at,
        // Like a write of the mirror, so that a late one of the dead run does not open them again.
        'sluice.runId': runId,
        'sluice.revision': revision,
        'sluice.failure': failure,
      },
    },
  );
}
