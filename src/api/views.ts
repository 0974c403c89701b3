// Rows of the database as resources of the native API. Rows of older programs may lack what is ours.
import { basename, join } from 'node:path';
import type { Config } from '../config/config.js';
import type { DatasetDocument, HistoryDocument, JobDocument } from '../contracts/documents.js';
import type { DatasetDetail, DatasetResource, History, JobResource } from '../contracts/http.js';
import { readStatus } from '../domain/dataset.js';
import { targetsState } from '../domain/target.js';
import { isFinal } from '../domain/upload.js';
import { orderOf } from '../store/jobs.js';
import { openForDataset, openForUpload } from './open-commands.js';
import { datasetProgress, uploadProgress } from './progress.js';
import type { JobContext } from './repeat.js';

/** @param uploads at least the dataset's unfinished uploads and those that replace another */
export function datasetView(
  row: DatasetDocument,
  uploads: readonly JobDocument[],
  config: Config,
): DatasetResource {
  const { sluice } = row;
  const status = readStatus(row.status);
  const base = `/api/v1/datasets/${row.uuid}`;
  return {
    uuid: row.uuid,
    name: row.name,
    slug: row.slug ?? '',
    user_email: row.user_email ?? row.user,
    sensor: row.sensor,
    convert: row.convert ?? true,
    is_public: row.is_public ?? false,
    folder: row.folder_uuid ?? null,
    team_uuid: row.team_uuid ?? null,
    tags: Array.isArray(row.tags) ? row.tags.join(',') : (row.tags ?? ''),
    unpack_nested: row.unpack_nested ?? false,
    keep_archives: row.keep_archives ?? true,
    parameters: { ...row.conversion_parameters },
    status,
    status_message: row.status_message ?? '',
    paused: sluice?.paused ? { by: sluice.paused.by, at: new Date(sluice.paused.at).toISOString() } : null,
    ...datasetProgress(row, uploads),
    failure: sluice?.failure ?? null,
    product: productView(row, config),
    ...targetsView(row),
    ...verifiedView(row),
    total_size_bytes: row.total_size_bytes ?? 0,
    file_count: row.file_count ?? 0,
    job_id: row.job_id ?? null,
    duplicate_of: sluice?.duplicateOf ?? null,
    open: [...openForDataset(row, uploads)],
    run_id: sluice?.runId ?? null,
    revision: sluice?.revision ?? 0,
    created_at: time(row.created_at),
    updated_at: time(row.updated_at),
    completed_at: timeOrNull(row.completed_at),
    links: {
      self: base,
      history: `${base}/history`,
      jobs: `/api/v1/jobs?dataset=${row.uuid}`,
      events: `/api/v1/events?dataset=${row.uuid}`,
      temporal: `${config.temporal.uiUrl}/namespaces/${config.temporal.namespace}/workflows/dataset%3A${row.uuid}`,
      ...(sluice?.product ? { manifest: `${base}/manifest`, bag: `${base}/bag` } : {}),
      ...(sluice?.product?.preview ? { preview: `${base}/preview` } : {}),
      ...(sluice?.product?.pictures?.strip ? { strip: `${base}/strip` } : {}),
      ...(sluice?.product?.pictures?.counts ? { histogram: `${base}/histogram` } : {}),
    },
  };
}

/** With all uploads, and whether more files are expected. */
export function datasetDetail(
  row: DatasetDocument,
  uploads: readonly JobDocument[],
  config: Config,
): DatasetDetail {
  return {
    ...datasetView(row, uploads, config),
    sealed: uploads.some((job) => orderOf(job)?.seal === true),
    uploads: uploads.map((job) => {
      const { job_id, upload_status, source } = job;
      return { job_id, upload_status, source, left_out: leftOutView(job) };
    }),
  };
}

/** Where else the product lies, or is to lie. */
function targetsView({
  publish_to = [],
  sluice,
}: DatasetDocument): Pick<DatasetResource, 'publish_to' | 'published' | 'targets'> {
  const rows = sluice?.targets ?? [];
  const published = rows.map(({ at, ...row }) => ({ ...row, at: new Date(at).toISOString() }));
  return { publish_to: [...publish_to], published, targets: targetsState(rows) };
}

/** The last verification, if it was of the product that is published now. */
function verifiedView({ sluice }: DatasetDocument): Pick<DatasetResource, 'verified' | 'verified_at'> {
  const mark = sluice?.verified;
  if (!mark || mark.manifest !== sluice.product?.manifest.digest)
    return { verified: null, verified_at: null };
  return { verified: mark.outcome, verified_at: mark.at.toISOString() };
}

function productView(row: DatasetDocument, { dirs }: Config): DatasetResource['product'] {
  const product = row.sluice?.product;
  if (!product) return null;
  const { kind, entry, bytes, files, checked, blocks, manifest, preview, pictures = {} } = product;
  const directory = join(dirs.out, row.uuid);
  const placeOf = (path: string | null | undefined): string | null => (path ? join(directory, path) : null);
  return {
    kind,
    entry,
    bytes,
    files,
    checked,
    blocks,
    directory,
    manifest: join(directory, basename(manifest.key)),
    preview: placeOf(preview),
    strip: placeOf(pictures.strip),
    histogram: placeOf(pictures.histogram),
  };
}

const leftOutView = ({ sluice }: JobDocument): JobResource['left_out'] =>
  sluice?.leftOut === undefined ? null : { ...sluice.leftOut, names: [...sluice.leftOut.names] };

/** @param history of the job, newest last; lists leave it out */
export function jobView(
  job: JobDocument,
  context: JobContext,
  history: readonly HistoryDocument[] = [],
): JobResource {
  const { row } = context;
  const progress = uploadProgress(job, row);
  return {
    job_id: job.job_id,
    dataset_uuid: job.dataset_uuid,
    job_type: job.job_type,
    status: job.status,
    upload_status: job.upload_status,
    priority: job.priority,
    user_email: job.user_email,
    source_type: job.source_type,
    source: job.source,
    bytes_uploaded: job.bytes_uploaded,
    bytes_total: job.bytes_total,
    file_count: job.file_count,
    ...progress,
    attempts: job.attempts,
    max_attempts: Math.max(job.max_attempts, job.attempts),
    worker_id: job.worker_id,
    pid: null,
    lock_file: null,
    parameters: { ...job.parameters },
    result: job.result,
    error: job.error,
    error_message: job.sluice?.failure?.say ?? job.error,
    failure: job.sluice?.failure ?? null,
    duplicate_of: job.sluice?.duplicateOf ?? null,
    left_out: leftOutView(job),
    logs: history.map(logLine),
    ...jobTimes(job, progress.eta_seconds),
    dataset_info: row === null ? null : datasetInfo(row),
    open: [...openForUpload(job, context)],
    links: {
      self: `/api/v1/jobs/${job.job_id}`,
      dataset: `/api/v1/datasets/${job.dataset_uuid}`,
      logs: `/api/v1/jobs/${job.job_id}/logs`,
    },
  };
}

const logLine = ({ at, from, to, reason, actor }: HistoryDocument) => ({
  timestamp: time(at),
  message: `${from === null ? '' : `${from} → `}${to}${reason ? `: ${reason}` : ''} (${actor})`,
});

const datasetInfo = ({ name, user, status, sensor }: DatasetDocument) => ({
  name: name ?? 'Unknown',
  user: user ?? 'Unknown',
  status: status ?? 'Unknown',
  sensor: sensor ?? 'Unknown',
});

/** Seconds that an upload with its conversion usually takes, where nothing better is known. */
const USUAL_SECONDS = 300;

function jobTimes(job: JobDocument, etaSeconds: number | null) {
  const ended = isFinal(job.upload_status);
  const end = ended ? (job.completed_at ?? job.updated_at).getTime() : Date.now();
  const seconds = job.started_at === null ? null : Math.max(0, (end - job.started_at.getTime()) / 1000);
  const left = etaSeconds ?? Math.max(0, USUAL_SECONDS - (seconds ?? 0));
  const running = job.status === 'running' && !ended;
  return {
    created_at: time(job.created_at),
    started_at: timeOrNull(job.started_at),
    completed_at: timeOrNull(job.completed_at),
    updated_at: time(job.updated_at),
    execution_time: seconds,
    estimated_completion: running ? new Date(Date.now() + left * 1000).toISOString() : null,
  };
}

export function historyView(rows: readonly HistoryDocument[]): History {
  return {
    history: rows.map(({ entity, from, to, at, actor, reason, runId, revision }) => ({
      entity,
      from,
      to,
      at: time(at),
      actor,
      reason,
      run_id: runId,
      revision,
    })),
  };
}

const time = (date: Date | undefined): string => (date ?? new Date(0)).toISOString();
const timeOrNull = (date: Date | null | undefined): string | null => (date ? date.toISOString() : null);
