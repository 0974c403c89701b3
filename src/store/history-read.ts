// The append-only status history: its first row, and reading it.
import type { HistoryDocument } from '../contracts/documents.js';
import type { Store } from './mongo.js';

/** The row that says how a dataset or an upload came into being; written by whoever made the record. */
export async function insertFirstHistory(
  store: Store,
  row: Pick<HistoryDocument, 'entity' | 'dataset_uuid' | 'to' | 'at' | 'actor'> & {
    readonly reason?: string;
  },
): Promise<void> {
  const { entity, dataset_uuid, to, at, actor, reason = null } = row;
  const first = { entity, dataset_uuid, runId: null, revision: 0, from: null, to, at, actor, reason };
  await store.history.updateOne({ _id: `${entity}/start/0` }, { $setOnInsert: first }, { upsert: true });
}

/** A dataset's history and its uploads', oldest first. */
export async function historyOfDataset(
  store: Store,
  uuid: string,
  limit = 1000,
): Promise<readonly HistoryDocument[]> {
  return await store.history
    .find({ dataset_uuid: uuid })
    .sort({ at: 1, revision: 1, _id: 1 })
    .limit(limit)
    .toArray();
}

/** The last rows of an upload's history, oldest first. */
export async function historyOfUpload(
  store: Store,
  jobId: string,
  limit: number,
): Promise<readonly HistoryDocument[]> {
  const newest = await store.history
    .find({ entity: `upload:${jobId}` })
    .sort({ at: -1, revision: -1, _id: -1 })
    .limit(limit)
    .toArray();
  return newest.reverse();
}
