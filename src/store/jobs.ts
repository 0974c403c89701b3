// Rows of jobs: insert before the workflow hears of it, read, list. A status is never written here.
import type { Filter } from 'mongodb';
import type { JobDocument } from '../contracts/documents.js';
import type { UploadOrder } from '../contracts/workflow.js';
import type { JobStatus } from '../domain/job.js';
import type { UploadStatus } from '../domain/upload.js';
import type { Store } from './mongo.js';
import { type Cursor, olderThan, type Page, pageOf } from './paging.js';

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  readonly upload_status?: UploadStatus | undefined;
  readonly user_email?: string | undefined;
  readonly dataset?: string | undefined;
}

/** Makes the row unless it is there. Returns whether it was made now. */
export async function insertJob(store: Store, document: JobDocument): Promise<boolean> {
  const { job_id, ...rest } = document;
  const { upsertedCount } = await store.jobs.updateOne({ job_id }, { $setOnInsert: rest }, { upsert: true });
  return upsertedCount === 1;
}

export async function findJob(store: Store, jobId: string): Promise<JobDocument | null> {
  return await store.jobs.findOne({ job_id: jobId }, { projection: { _id: 0 } });
}

/** Newest first. */
export async function listJobs(
  store: Store,
  filter: JobFilter,
  limit: number,
  after?: Cursor,
): Promise<Page<JobDocument>> {
  const query = { ...jobQuery(filter), ...(after === undefined ? {} : olderThan('job_id', after)) };
  const rows = await sortedJobs(store, query)
    .limit(limit + 1)
    .toArray();
  return pageOf(rows, limit, ({ created_at, job_id }) => ({ at: created_at, key: job_id }));
}

/** Newest first, by position, with the number of all that match (older clients page so). */
export async function listJobsAt(
  store: Store,
  filter: JobFilter,
  limit: number,
  offset: number,
): Promise<{ rows: readonly JobDocument[]; total: number }> {
  const query = jobQuery(filter);
  const [rows, total] = await Promise.all([
    sortedJobs(store, query).skip(offset).limit(limit).toArray(),
    store.jobs.countDocuments(query),
  ]);
  return { rows, total };
}

/** The uploads of a dataset, oldest first, at most 10,000. */
export async function uploadsOfDataset(store: Store, uuid: string): Promise<readonly JobDocument[]> {
  return await store.jobs
    .find({ dataset_uuid: uuid, job_type: 'upload' }, { projection: { _id: 0 } })
    .sort({ created_at: 1, job_id: 1 })
    .limit(10_000)
    .toArray();
}

/** Uploads of these datasets that neither completed nor were cancelled, and those that were sent in place of one. */
export async function unfinishedUploadsOf(
  store: Store,
  uuids: readonly string[],
): Promise<readonly JobDocument[]> {
  if (uuids.length === 0) return [];
  const unfinished = { upload_status: { $nin: ['completed', 'cancelled'] as UploadStatus[] } };
  const replacing = { 'parameters.order.replaces': { $exists: true } };
  return await store.jobs
    .find(
      { dataset_uuid: { $in: [...uuids] }, job_type: 'upload', $or: [unfinished, replacing] },
      { projection: { _id: 0 } },
    )
    .sort({ created_at: 1, job_id: 1 })
    .limit(10_000)
    .toArray();
}

/** The order that an upload's row keeps, as it was given to the workflow; it holds no secret. */
export function orderOf(job: JobDocument): UploadOrder | undefined {
  const { order } = job.parameters as { order?: UploadOrder };
  return order;
}

/** The orders of these uploads of a dataset, in the order of the ids; without those that have no row. */
export async function ordersOf(
  store: Store,
  uuid: string,
  jobIds: readonly string[],
): Promise<readonly UploadOrder[]> {
  const rows = await store.jobs
    .find({ dataset_uuid: uuid, job_id: { $in: [...jobIds] } }, { projection: { _id: 0 } })
    .toArray();
  const orders = new Map(rows.map((row) => [row.job_id, orderOf(row)]));
  return jobIds.flatMap((jobId) => orders.get(jobId) ?? []);
}

function jobQuery(filter: JobFilter): Filter<JobDocument> {
  return {
    job_type: 'upload',
    ...(filter.status === undefined ? {} : { status: filter.status }),
    ...(filter.upload_status === undefined ? {} : { upload_status: filter.upload_status }),
    ...(filter.user_email === undefined ? {} : { user_email: filter.user_email }),
    ...(filter.dataset === undefined ? {} : { dataset_uuid: filter.dataset }),
  };
}

const sortedJobs = (store: Store, query: Filter<JobDocument>) =>
  store.jobs.find(query, { projection: { _id: 0 } }).sort({ created_at: -1, job_id: -1 });
