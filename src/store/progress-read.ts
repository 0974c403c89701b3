// Whether bytes moved lately, as the activities that move them wrote it.
import type { Store } from './mongo.js';

/** Whether an upload that is under way, and a stage of a dataset, made progress since then. */
export async function movedSince(
  store: Store,
  since: Date,
): Promise<{ readonly uploads: boolean; readonly datasets: boolean }> {
  const moved = { 'sluice.progress.at': { $gt: since } };
  const [upload, dataset] = await Promise.all([
    store.jobs.findOne(
      { status: 'running', upload_status: 'uploading', ...moved },
      { projection: { _id: 1 } },
    ),
    store.datasets.findOne(
      { status: { $in: ['unzipping', 'converting'] }, ...moved },
      { projection: { _id: 1 } },
    ),
  ]);
  return { uploads: upload !== null, datasets: dataset !== null };
}
