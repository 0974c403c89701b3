// What the query `state` and the Updates answer.
import type { DatasetView } from '../contracts/workflow.js';
import type { DatasetRecord } from './record.js';

/** @param running a stage after fetch is under way */
export function viewOf(record: DatasetRecord, running: boolean): DatasetView {
  const { uuid, status, stage, sealed, revision, failure, paused, uploads } = record;
  const moving = running || record.open().some((upload) => upload.status !== 'paused');
  return {
    uuid,
    status,
    paused: paused === null ? 'no' : moving ? 'pausing' : 'paused',
    ...(stage ? { stage } : {}),
    sealed,
    revision,
    uploads: [...uploads.values()].map(({ jobId, status: at, failure: why }) => ({
      jobId,
      status: at,
      ...(why ? { failure: why } : {}),
    })),
    ...(failure ? { failure } : {}),
  };
}
