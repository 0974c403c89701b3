// A dataset's statuses and which may follow which (contract: the ScientistCloud sheet, 2.2, plus our edges).
import type { Stage } from './stage.js';
import type { TransitionTable } from './transition.js';

export const DATASET_STATUSES = [
  'submitted',
  'sync queued',
  'syncing',
  'upload queued',
  'uploading',
  'unzipping',
  'zipping',
  'conversion queued',
  'converting',
  'done',
  'sync error',
  'upload error',
  'unzip error',
  'conversion error',
  'compression error',
  'failed',
  'retrying',
  'cancelled',
] as const;
export type DatasetStatus = (typeof DATASET_STATUSES)[number];

/** Statuses in which a dataset may come into being. */
export const DATASET_FIRST_STATUSES = ['submitted', 'uploading'] as const satisfies readonly DatasetStatus[];

/**
 * What may follow what. The error states mean that a system broke (errored); `failed` means that the content
 * or a rule was not met. Both lead back to their queued state when somebody retries.
 */
export const DATASET_TRANSITIONS: TransitionTable<DatasetStatus> = {
  submitted: ['sync queued', 'upload queued', 'uploading', 'unzipping', 'conversion queued', 'cancelled'],
  'sync queued': ['syncing', 'sync error', 'cancelled'],
  syncing: ['conversion queued', 'sync error', 'cancelled'],
  'upload queued': ['uploading', 'upload error', 'cancelled'],
  uploading: ['unzipping', 'conversion queued', 'done', 'upload error', 'cancelled'],
  unzipping: ['conversion queued', 'done', 'unzip error', 'cancelled'],
  zipping: ['done', 'compression error', 'cancelled'],
  'conversion queued': ['converting', 'done', 'conversion error', 'cancelled'],
  converting: ['done', 'conversion error', 'cancelled'],
  done: ['uploading', 'conversion queued'],
  'sync error': ['sync queued', 'failed', 'cancelled'],
  'upload error': ['upload queued', 'failed', 'cancelled'],
  'unzip error': ['unzipping', 'upload queued', 'failed', 'cancelled'],
  'conversion error': ['conversion queued', 'upload queued', 'failed', 'cancelled'],
  'compression error': ['zipping', 'failed', 'cancelled'],
  failed: ['sync queued', 'upload queued', 'unzipping', 'conversion queued'],
  retrying: ['sync queued', 'upload queued', 'conversion queued', 'cancelled'],
  cancelled: [],
};

/** Nothing runs for a dataset in one of these, until somebody adds files, retries or converts again. */
export const DATASET_SETTLED = [
  'done',
  'failed',
  'cancelled',
  'sync error',
  'upload error',
  'unzip error',
  'conversion error',
  'compression error',
] as const satisfies readonly DatasetStatus[];

/** Whether nothing runs for a dataset in this status. */
export function isSettled(status: DatasetStatus): boolean {
  return (DATASET_SETTLED as readonly DatasetStatus[]).includes(status);
}

/** The error state that a stage ends in when it breaks (validate and publish belong to converting). */
export const ERROR_STATUS_OF_STAGE: Readonly<Record<Stage, DatasetStatus>> = {
  fetch: 'upload error',
  extract: 'unzip error',
  convert: 'conversion error',
  validate: 'conversion error',
  publish: 'conversion error',
};

/** Statuses that older programs wrote and what we read them as; any other unknown text is `submitted`. */
export const LEGACY_STATUS: Readonly<Record<string, DatasetStatus>> = {
  'conversion failed': 'conversion error',
  completed: 'done',
};

/** Reads a status that another program may have written. */
export function readStatus(text: string): DatasetStatus {
  const known = DATASET_STATUSES.find((status) => status === text);
  return known ?? LEGACY_STATUS[text] ?? 'submitted';
}

const QUEUED = [
  'upload queued',
  'conversion queued',
  'sync queued',
] as const satisfies readonly DatasetStatus[];

/**
 * The statuses to pass on the way to `to`: none when it is there, one when a row allows it, two when the way
 * leads through a queued state (a retry). Undefined when there is no such way.
 */
export function routeTo(from: DatasetStatus, to: DatasetStatus): readonly DatasetStatus[] | undefined {
  if (from === to) return [];
  if (DATASET_TRANSITIONS[from].includes(to)) return [to];
  const via = QUEUED.find(
    (queued) => DATASET_TRANSITIONS[from].includes(queued) && DATASET_TRANSITIONS[queued].includes(to),
  );
  return via === undefined ? undefined : [via, to];
}
