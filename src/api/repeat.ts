// What a dataset that stands still can do again: which uploads, and whether there is anything to convert.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import type { DatasetInput, UploadOrder } from '../contracts/workflow.js';
import { isSettled, readStatus } from '../domain/dataset.js';
import { datasetsByUuid } from '../store/datasets.js';
import { orderOf, unfinishedUploadsOf } from '../store/jobs.js';
import type { Store } from '../store/mongo.js';

export interface RetryPlan {
  /** Of uploads that have not become part of the product; the workflow leaves out what was delivered. */
  readonly orders: readonly UploadOrder[];
  /** An upload whose bytes are gone, so that only its client can repeat it. */
  readonly lost: JobDocument | undefined;
}

/** @param uploads at least those of the dataset that are unfinished, or replace another */
export function planRetry(uploads: readonly JobDocument[]): RetryPlan {
  const replaced = new Set(uploads.map((job) => orderOf(job)?.replaces));
  const open = uploads.filter(
    (job) =>
      // One that a client is still sending is nobody's to repeat.
      (job.receiver ?? null) === null &&
      !['completed', 'cancelled'].includes(job.upload_status) &&
      !replaced.has(job.job_id),
  );
  return { orders: open.flatMap((job) => orderOf(job) ?? []), lost: open.find(isLost) };
}

function isLost(job: JobDocument): boolean {
  const source = orderOf(job)?.source;
  if (source?.kind === 'awaited') return true;
  if (source?.kind !== 'received') return false;
  return source.fault !== undefined || job.sluice?.failure?.code === 'upload_interrupted';
}

/** A published dataset of which not every target has the product; undefined: it is another one. */
export function lackingTargets({ status, sluice }: DatasetDocument): DatasetInput['sendAgain'] {
  const { product, targets = [] } = sluice ?? {};
  const lacks = targets.some((row) => row.status !== 'done');
  return readStatus(status) === 'done' && product && lacks ? { product, targets } : undefined;
}

/** Whether any file ever came into the dataset; its row counts what was delivered. */
export function hasDelivery({ file_count, total_size_bytes, sluice }: DatasetDocument): boolean {
  return (file_count ?? 0) > 0 || (total_size_bytes ?? 0) > 0 || Boolean(sluice?.product);
}

/** The uploads that tell what these datasets may repeat, or how many of their bytes came; by dataset. */
export async function countingUploads(
  store: Store,
  rows: readonly DatasetDocument[],
): Promise<ReadonlyMap<string, readonly JobDocument[]>> {
  const uuids = rows.filter(needsUploads).map(({ uuid }) => uuid);
  const found = await unfinishedUploadsOf(store, uuids);
  return new Map(
    uuids.map((uuid) => [uuid, found.filter(({ dataset_uuid }) => dataset_uuid === uuid)] as const),
  );
}

function needsUploads(row: DatasetDocument): boolean {
  const status = readStatus(row.status);
  if (status === 'done' || status === 'cancelled') return false;
  return isSettled(status) || (row.sluice?.stage ?? 'fetch') === 'fetch';
}

/** What a job's view needs beside the job. */
export interface JobContext {
  /** The upload's dataset; null when it is gone. */
  readonly row: DatasetDocument | null;
  /** Those that count for a retry. */
  readonly siblings: readonly JobDocument[];
}

export const NO_CONTEXT: JobContext = { row: null, siblings: [] };

/** The surroundings of these jobs, in their order. */
export async function contextsOf(store: Store, jobs: readonly JobDocument[]): Promise<readonly JobContext[]> {
  const rows = await datasetsByUuid(
    store,
    jobs.map(({ dataset_uuid }) => dataset_uuid),
  );
  const failed = jobs.filter(({ upload_status }) => upload_status === 'failed');
  const uuids = new Set(failed.map(({ dataset_uuid }) => dataset_uuid));
  const siblings = await countingUploads(
    store,
    [...rows.values()].filter(({ uuid }) => uuids.has(uuid)),
  );
  return jobs.map(({ dataset_uuid: uuid }) => ({
    row: rows.get(uuid) ?? null,
    siblings: siblings.get(uuid) ?? [],
  }));
}
