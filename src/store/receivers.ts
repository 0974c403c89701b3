// The lease of the API process that holds an upload: it receives the bytes, or has yet to tell the workflow.
import type { JobDocument } from '../contracts/documents.js';
import type { UploadOrder } from '../contracts/workflow.js';
import { UPLOAD_FINAL } from '../domain/upload.js';
import type { Store } from './mongo.js';

/** How long a lease lasts, and how often its holder renews it (milliseconds). */
export const RECEIVER_LEASE_MS = 10_000;
export const RECEIVER_RENEW_MS = 3_000;

export const leaseUntil = (now = Date.now()): Date => new Date(now + RECEIVER_LEASE_MS);

/** What is known of the bytes while they come. */
export interface Received {
  readonly bytes: number;
  readonly files: number;
}

/** Renews the lease and shows how many bytes came. Returns false when somebody else ended it meanwhile. */
export async function renewReceiver(
  store: Store,
  jobId: string,
  holder: string,
  received?: Received,
): Promise<boolean> {
  const now = new Date();
  const shown = received === undefined ? {} : { bytes_uploaded: received.bytes, file_count: received.files };
  const { matchedCount } = await store.jobs.updateOne(
    { job_id: jobId, 'receiver.id': holder },
    { $set: { 'receiver.until': leaseUntil(), updated_at: now, ...shown } },
  );
  return matchedCount === 1;
}

/** Takes an upload up again whose holder had told the workflow already; the order kept in its row stays. */
export async function takeReceiver(
  store: Store,
  jobId: string,
  holder: string,
  seal: boolean,
): Promise<void> {
  const receiver = { id: holder, until: leaseUntil(), seal };
  await store.jobs.updateOne({ job_id: jobId }, { $set: { receiver } });
}

/** Bytes that unfinished uploads announced and that have not come yet. */
export async function promisedBytes(store: Store): Promise<number> {
  const left = { $max: [0, { $subtract: ['$bytes_total', '$bytes_uploaded'] }] };
  const [row] = await store.jobs
    .aggregate<{ bytes: number }>([
      { $match: { status: 'running', upload_status: 'uploading', source_type: 'awaited' } },
      { $group: { _id: null, bytes: { $sum: left } } },
    ])
    .toArray();
  return row?.bytes ?? 0;
}

/** Shows how many bytes came. */
export async function showReceived(store: Store, jobId: string, bytes: number): Promise<void> {
  await store.jobs.updateOne(
    { job_id: jobId, upload_status: { $nin: [...UPLOAD_FINAL] } },
    { $set: { bytes_uploaded: bytes, updated_at: new Date() } },
  );
}

/** Keeps the order that is about to be given to the workflow: whoever finds the lease expired gives it instead. */
export async function keepOrder(store: Store, order: UploadOrder, received?: Received): Promise<void> {
  const shown =
    received === undefined
      ? {}
      : { bytes_uploaded: received.bytes, bytes_total: received.bytes, file_count: received.files };
  const { jobId, priority } = order;
  const told = priority === undefined ? shown : { ...shown, priority };
  await store.jobs.updateOne({ job_id: jobId }, { $set: { 'parameters.order': order, ...told } });
}

/** The workflow knows the order: nothing is left to do for the holder. */
export async function clearReceiver(store: Store, jobId: string, holder: string): Promise<void> {
  await store.jobs.updateOne({ job_id: jobId, 'receiver.id': holder }, { $set: { receiver: null } });
}

/** Uploads whose holder is gone, oldest first. */
export async function expiredReceivers(
  store: Store,
  now: Date,
  limit = 100,
): Promise<readonly JobDocument[]> {
  return await store.jobs
    .find({ 'receiver.until': { $lt: now } }, { projection: { _id: 0 } })
    .sort({ 'receiver.until': 1 })
    .limit(limit)
    .toArray();
}
