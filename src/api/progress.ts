// How far a dataset or an upload is, from what the rows show. Never null, never beyond what is proven.
import type { DatasetDocument, JobDocument, StoredProgress } from '../contracts/documents.js';
import { type DatasetStatus, readStatus } from '../domain/dataset.js';
import { planStages } from '../domain/plan.js';
import { fraction } from '../domain/progress.js';
import { overallPercent, STAGES, type Stage } from '../domain/stage.js';
import type { UploadStatus } from '../domain/upload.js';

export interface ShownProgress {
  readonly progress_percentage: number;
  readonly stage: Stage | null;
  readonly speed_mbps: number | null;
  readonly eta_seconds: number | null;
  readonly current_file: string | null;
}

const STAGE_OF_STATUS: Partial<Record<DatasetStatus, Stage>> = {
  uploading: 'fetch',
  'upload queued': 'fetch',
  'upload error': 'fetch',
  unzipping: 'extract',
  'unzip error': 'extract',
  'conversion queued': 'convert',
  converting: 'convert',
  'conversion error': 'convert',
};
const FETCHING: readonly UploadStatus[] = ['queued', 'initializing', 'uploading', 'verifying'];

/** @param uploads the dataset's uploads that are known; they tell how many bytes came */
export function datasetProgress(row: DatasetDocument, uploads: readonly JobDocument[]): ShownProgress {
  const status = readStatus(row.status);
  if (status === 'done') return still(100, null);
  const stage = row.sluice?.stage ?? STAGE_OF_STATUS[status] ?? null;
  if (stage === null) return still(0, null);
  const measured =
    at(ofThisRun(row), stage) ?? uploads.map(({ sluice }) => at(sluice?.progress, stage)).find(Boolean);
  const part = stage === 'fetch' ? fetchFraction(uploads, measured) : measured ? fraction(measured) : 0;
  return shown(row, stage, part, measured);
}

/** @param row the upload's dataset; null when it is gone */
export function uploadProgress(job: JobDocument, row: DatasetDocument | null): ShownProgress {
  if (job.upload_status === 'completed') return still(100, null);
  const fetching = FETCHING.includes(job.upload_status);
  const later = fetching ? null : (row?.sluice?.stage ?? null);
  const stage = later ?? (job.upload_status === 'processing' ? 'extract' : 'fetch');
  const measured = at(stage === 'fetch' ? job.sluice?.progress : row && ofThisRun(row), stage);
  const part = stage === 'fetch' ? fetchFraction([job], measured) : measured ? fraction(measured) : 0;
  return shown(row, stage, part, measured);
}

/** Bytes count as they come; the move into the dataset afterwards cannot take anything back. */
function fetchFraction(uploads: readonly JobDocument[], measured: StoredProgress | undefined): number {
  const total = sum(uploads.map(({ bytes_total }) => bytes_total));
  const come = sum(uploads.map(({ bytes_uploaded }) => bytes_uploaded));
  return Math.max(total > 0 ? Math.min(come / total, 1) : 0, measured ? fraction(measured) : 0);
}

function shown(
  row: DatasetDocument | null,
  stage: Stage,
  part: number,
  measured: StoredProgress | undefined,
): ShownProgress {
  const facts = { sensor: row?.sensor ?? 'OTHER', convert: row?.convert ?? true } as const;
  // Whether archives will be found is not known from the start: counting on them keeps the figure from going back.
  const planned = planStages({ ...facts, archives: 1 });
  // A stage that this dataset leaves out is passed at once: what it stands before is what comes now.
  const now = planned.includes(stage) ? stage : planned.find((next) => comesAfter(next, stage));
  const percent = now === undefined ? 100 : overallPercent(planned, now, now === stage ? part : 0);
  return {
    progress_percentage: Math.round(percent * 10) / 10,
    stage,
    speed_mbps: measured?.mbPerSecond ?? null,
    eta_seconds: measured?.etaSeconds === undefined ? null : Math.round(measured.etaSeconds),
    current_file: measured?.note ?? null,
  };
}

const comesAfter = (stage: Stage, other: Stage): boolean => STAGES.indexOf(stage) > STAGES.indexOf(other);

const still = (percent: number, stage: Stage | null): ShownProgress => ({
  progress_percentage: percent,
  stage,
  speed_mbps: null,
  eta_seconds: null,
  current_file: null,
});

/** What a stage of an earlier run measured says nothing of this one. */
function ofThisRun({ sluice }: DatasetDocument): StoredProgress | null {
  const { progress = null, runId = null } = sluice ?? {};
  return runId === null || progress?.runId === runId ? progress : null;
}

const at = (progress: StoredProgress | null | undefined, stage: Stage): StoredProgress | undefined =>
  progress?.stage === stage ? progress : undefined;

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + (number || 0), 0);
