// An upload job's statuses (contract: the ScientistCloud sheet, 2.3) and how clients read them.
import type { TransitionTable } from './transition.js';

export const UPLOAD_STATUSES = [
  'queued',
  'initializing',
  'uploading',
  'processing',
  'verifying',
  'completed',
  'failed',
  'cancelled',
  'paused',
] as const;
/** What happens to bytes that another dataset has already: kept again and marked, shared with it, or refused first. */
export const DUPLICATE_RULES = ['keep', 'link', 'ask'] as const;
export type DuplicateRule = (typeof DUPLICATE_RULES)[number];

export type UploadStatus = (typeof UPLOAD_STATUSES)[number];

/**
 * `completed` means that the dataset is converted and published. `paused` is a status here (the contract's
 * clients know the word) and a flag on the dataset.
 */
export const UPLOAD_TRANSITIONS: TransitionTable<UploadStatus> = {
  queued: ['initializing', 'uploading', 'processing', 'verifying', 'paused', 'failed', 'cancelled'],
  initializing: ['uploading', 'paused', 'failed', 'cancelled'],
  uploading: ['verifying', 'processing', 'completed', 'paused', 'failed', 'cancelled'],
  verifying: ['uploading', 'processing', 'completed', 'paused', 'failed', 'cancelled'],
  processing: ['verifying', 'completed', 'paused', 'failed', 'cancelled'],
  paused: ['queued', 'uploading', 'verifying', 'processing', 'failed', 'cancelled'],
  completed: ['queued', 'processing'],
  failed: ['queued', 'processing'],
  cancelled: [],
};

/** Statuses at which clients stop polling. */
export const UPLOAD_FINAL = ['completed', 'failed', 'cancelled'] as const satisfies readonly UploadStatus[];

/** Whether clients stop polling at this status. */
export function isFinal(status: UploadStatus): boolean {
  return (UPLOAD_FINAL as readonly UploadStatus[]).includes(status);
}

/** Statuses of an upload that has not ended. */
export const UPLOAD_OPEN = UPLOAD_STATUSES.filter((status) => !isFinal(status));

/** Statuses of an upload whose bytes are not all in. */
export const UPLOAD_MOVING = [
  'queued',
  'initializing',
  'uploading',
  'paused',
] as const satisfies readonly UploadStatus[];
