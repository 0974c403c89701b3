// Rows as a running system would leave them.
import { newIds } from '../../../src/api/new-ids.js';
import { newDataset, newUploadJob } from '../../../src/api/records.js';
import type { DatasetDocument, JobDocument } from '../../../src/contracts/documents.js';
import { insertDataset } from '../../../src/store/datasets.js';
import { insertJob } from '../../../src/store/jobs.js';
import type { Store } from '../../../src/store/mongo.js';

export const FIELDS = {
  name: 'Brain',
  sensor: 'TIFF',
  user_email: 'ada@example.org',
  convert: true,
  is_public: false,
  is_public_downloadable: false,
  folder: null,
  team_uuid: null,
  tags: '',
  unpack_nested: false,
  keep_archives: true,
  parameters: {},
} as const;

/** Makes a dataset with one upload in a given state. */
export async function putRows(
  store: Store,
  dataset: Partial<DatasetDocument> = {},
  job: Partial<JobDocument> = {},
): Promise<{ uuid: string; jobId: string }> {
  const { uuid, jobId } = newIds();
  const usual = newDataset(uuid, FIELDS, { status: 'uploading', sourceType: 'received', jobId });
  const source = { kind: 'received', files: 1, bytes: 100 } as const;
  const order = { jobId, source, seal: true, by: FIELDS.user_email };
  const upload = { order, uuid, owner: FIELDS.user_email, source: 'files', bytes: 100, holder: 'gone' };
  await insertDataset(store, { ...usual, ...dataset, sluice: { ...usual.sluice, ...dataset.sluice } });
  await insertJob(store, { ...newUploadJob(upload), receiver: null, ...job });
  return { uuid, jobId };
}
