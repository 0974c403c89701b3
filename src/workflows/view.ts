// What the query `state` and the Updates answer.
import type { DatasetView, UploadState } from '../contracts/workflow.js';
import type { DatasetRecord } from './record.js';

/** An answer to an Update becomes a part of the history. */
const MOST_SHOWN = 200;

/** @param running a stage after fetch is under way */
export function viewOf(record: DatasetRecord, running: boolean): DatasetView {
  const { uuid, status, stage, sealed, revision, failure, paused, uploads } = record;
  // One that has yet to start stands still with its dataset.
  const moving = running || record.open().some(({ begun, status: at }) => begun && at !== 'paused');
  return {
    uuid,
    status,
    paused: paused === null ? 'no' : moving ? 'pausing' : 'paused',
    ...(stage ? { stage } : {}),
    sealed,
    revision,
    counts: countsOf(uploads.values()),
    uploads: shown([...uploads.values()]).map(({ jobId, status: at, failure: why }) => ({
      jobId,
      status: at,
      ...(why ? { failure: why } : {}),
    })),
    ...(failure ? { failure } : {}),
  };
}

function shown(uploads: readonly UploadState[]): readonly UploadState[] {
  if (uploads.length <= MOST_SHOWN) return uploads;
  return uploads
    .filter(({ status }) => status !== 'completed' && status !== 'cancelled')
    .slice(0, MOST_SHOWN);
}

function countsOf(uploads: Iterable<UploadState>): DatasetView['counts'] {
  const counts: Partial<Record<UploadState['status'], number>> = {};
  for (const { status } of uploads) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
