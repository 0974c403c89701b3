// The projection of a dataset's run into its rows. Late, repeated and foreign writes can never move it back.
import type { AnyBulkWriteOperation, Filter, UpdateFilter } from 'mongodb';
import type { DatasetDocument, HistoryDocument, JobDocument } from '../contracts/documents.js';
import type { MirrorBatch } from '../contracts/workflow.js';
import type { FailureNote } from '../domain/failure.js';
import { JOB_STATUS_OF_UPLOAD } from '../domain/job.js';
import { publishedWords, targetsState } from '../domain/target.js';
import { isFinal } from '../domain/upload.js';
import type { Store } from './mongo.js';

/** The run that writes, and how to learn whether it is the dataset's current one. */
export interface Writer {
  readonly runId: string;
  isCurrent(): Promise<boolean>;
}

/**
 * Writes the newest state and all history rows. In one run the higher revision wins; a write of another run than
 * the row shows is accepted only when that run is the current one, which is asked once per hand-over.
 * @returns whether the row shows this state now (false: it was older than what the row shows)
 */
export async function writeMirror(store: Store, batch: MirrorBatch, writer: Writer): Promise<boolean> {
  const [row] = await Promise.all([
    writeDataset(store, batch, writer),
    writeHistory(store, batch, writer.runId),
  ]);
  // Also beside a dataset that shows it already: an earlier attempt may have died in between. Each has its own guard.
  if (row !== 'foreign') await writeUploads(store, batch, writer.runId);
  return row === 'shown';
}

async function writeHistory(store: Store, batch: MirrorBatch, runId: string): Promise<void> {
  if (batch.history.length === 0) return;
  const rows = batch.history.map((row): AnyBulkWriteOperation<HistoryDocument> => {
    const { entity, revision, from, to, at, actor, reason = null } = row;
    const fields = {
      entity,
      dataset_uuid: batch.uuid,
      runId,
      revision,
      from,
      to,
      at: new Date(at),
      actor,
      reason,
    };
    return {
      updateOne: {
        filter: { _id: `${entity}/${runId}/${revision}` },
        update: { $setOnInsert: fields },
        upsert: true,
      },
    };
  });
  await store.history.bulkWrite(rows, { ordered: false });
}

/** `newer`: this very run has shown something newer meanwhile. */
async function writeDataset(
  store: Store,
  batch: MirrorBatch,
  writer: Writer,
): Promise<'shown' | 'newer' | 'foreign'> {
  const update = datasetUpdate(batch, writer.runId);
  const { uuid, revision } = batch;
  const own: Filter<DatasetDocument> = { 'sluice.runId': writer.runId, 'sluice.revision': { $lt: revision } };
  const first: Filter<DatasetDocument> = { 'sluice.runId': null };
  const direct = await store.datasets.updateOne({ uuid, $or: [own, first] }, update);
  if (direct.matchedCount > 0) return 'shown';
  const row = await store.datasets.findOne({ uuid }, { projection: { sluice: 1 } });
  if (row?.sluice.runId === writer.runId) return shows(row, batch) ? 'shown' : 'newer';
  if (row === null || !(await writer.isCurrent())) return 'foreign';
  const handedOver = await store.datasets.updateOne({ uuid, 'sluice.runId': row.sluice.runId }, update);
  return handedOver.matchedCount > 0 ? 'shown' : 'foreign';
}

/** A repair of a terminated run counts one revision of its own, which may be the number of this one. */
function shows({ sluice }: Pick<DatasetDocument, 'sluice'>, { revision, dataset }: MirrorBatch): boolean {
  return sluice.revision === revision && sluice.status === dataset.status;
}

function datasetUpdate(batch: MirrorBatch, runId: string): UpdateFilter<DatasetDocument> {
  const { status, stage, paused, failure, product, bytes, files, targets } = batch.dataset;
  const settledAt = status === 'done' ? new Date() : null;
  return {
    $set: {
      status,
      status_message: failure?.say ?? (status === 'done' ? publishedWords(targets) : ''),
      error_message: failure === null ? null : errorText(failure),
      total_size_bytes: bytes,
      file_count: files,
      updated_at: new Date(),
      completed_at: settledAt,
      'sluice.runId': runId,
      'sluice.revision': batch.revision,
      'sluice.status': status,
      'sluice.stage': stage,
      'sluice.paused': paused,
      'sluice.failure': failure,
      ...(product === null ? {} : { 'sluice.product': product }),
      ...(targets === undefined
        ? {}
        : { 'sluice.targets': targets, 'sluice.targetsState': targetsState(targets) }),
    },
  };
}

async function writeUploads(store: Store, batch: MirrorBatch, runId: string): Promise<void> {
  if (batch.uploads.length === 0) return;
  const newer = [{ 'sluice.runId': { $ne: runId } }, { 'sluice.revision': { $lt: batch.revision } }];
  const begunAnew = batch.uploads.flatMap((upload) => beginAnew(upload, newer));
  if (begunAnew.length > 0) await store.jobs.bulkWrite(begunAnew, { ordered: false });
  const rows = batch.uploads.map((upload): AnyBulkWriteOperation<JobDocument> => {
    const { jobId, again } = upload;
    const update = { $set: uploadFields(upload, batch, runId) };
    return {
      updateOne: {
        filter: { job_id: jobId, $or: newer },
        update: again === undefined ? update : { ...update, $inc: { attempts: again.times } },
      },
    };
  });
  await store.jobs.bulkWrite(rows, { ordered: false });
}

/** What was measured before an upload was taken up again says nothing of this attempt; what was since, stays. */
function beginAnew(
  { jobId, again, bytes }: UploadRow,
  newer: Filter<JobDocument>[],
): AnyBulkWriteOperation<JobDocument>[] {
  if (again === undefined) return [];
  const at = new Date(again.at);
  const filter = { job_id: jobId, $or: newer, 'sluice.progress.at': { $lt: at } };
  const fields = {
    'sluice.progress': null,
    worker_id: null,
    ...(bytes === null ? { bytes_uploaded: 0 } : {}),
  };
  return [{ updateOne: { filter, update: { $set: fields } } }];
}

function uploadFields(upload: UploadRow, batch: MirrorBatch, runId: string) {
  const { status, failure, bytes, files, leftOut, again } = upload;
  const now = new Date();
  return {
    status: JOB_STATUS_OF_UPLOAD[status],
    upload_status: status,
    error: failure === null ? null : errorText(failure),
    updated_at: now,
    completed_at: isFinal(status) ? now : null,
    'sluice.runId': runId,
    'sluice.revision': batch.revision,
    'sluice.failure': failure,
    ...(again === undefined ? {} : { started_at: new Date(again.at) }),
    ...(bytes === null ? {} : { bytes_uploaded: bytes, bytes_total: bytes }),
    ...(files === null ? {} : { file_count: files }),
    ...(leftOut === undefined ? {} : { 'sluice.leftOut': leftOut }),
    ...(status === 'completed' ? { result: { status: 'success', product: batch.dataset.product } } : {}),
  };
}

type UploadRow = MirrorBatch['uploads'][number];

const errorText = (failure: FailureNote): string => `${failure.say} ${failure.remedy}`;
