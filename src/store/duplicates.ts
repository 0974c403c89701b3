// Marks on uploads and datasets: the same bytes are elsewhere already.
import type { DuplicateMark } from '../contracts/documents.js';
import type { Store } from './mongo.js';

/** By job id; undefined = not looked at yet, null = there are none. */
export async function duplicatesOf(
  store: Store,
  uuid: string,
): Promise<Map<string, DuplicateMark | null | undefined>> {
  const rows = await store.jobs
    .find({ dataset_uuid: uuid, upload_status: { $nin: ['failed', 'cancelled'] } })
    .project<{ job_id: string; sluice?: { duplicateOf?: DuplicateMark | null } }>({
      job_id: 1,
      'sluice.duplicateOf': 1,
    })
    .toArray();
  return new Map(rows.map(({ job_id, sluice }) => [job_id, sluice?.duplicateOf]));
}

export async function markUpload(store: Store, jobId: string, mark: DuplicateMark | null): Promise<void> {
  await store.jobs.updateOne({ job_id: jobId }, { $set: { 'sluice.duplicateOf': mark } });
}

export async function markDataset(store: Store, uuid: string, mark: DuplicateMark | null): Promise<void> {
  await store.datasets.updateOne({ uuid }, { $set: { 'sluice.duplicateOf': mark } });
}
