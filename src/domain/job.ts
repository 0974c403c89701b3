// Jobs: a unit of work a user can see. Statuses of the contract's job document (sheet 2.1, 4.2).
import type { TransitionTable } from './transition.js';
import type { UploadStatus } from './upload.js';

export const JOB_STATUSES = ['pending', 'running', 'completed', 'failed', 'retrying', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const JOB_TRANSITIONS: TransitionTable<JobStatus> = {
  pending: ['running', 'failed', 'cancelled'],
  running: ['completed', 'failed', 'retrying', 'cancelled'],
  retrying: ['pending', 'running', 'failed', 'cancelled'],
  completed: ['retrying', 'running'],
  failed: ['retrying', 'pending', 'running'],
  cancelled: [],
};

/** An upload is one type of job; this is how its finer status reads in the job document. */
export const JOB_STATUS_OF_UPLOAD: Readonly<Record<UploadStatus, JobStatus>> = {
  queued: 'pending',
  initializing: 'running',
  uploading: 'running',
  processing: 'running',
  verifying: 'running',
  paused: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** Types of jobs: what a person may see as a unit of work. */
export const JOB_TYPES = ['upload', 'verify'] as const;
export type JobType = (typeof JOB_TYPES)[number];

/** The type that a job id names; ids of older programs are uploads. */
export const jobTypeOf = (jobId: string): JobType =>
  JOB_TYPES.find((type) => jobId.startsWith(`${type}_`)) ?? 'upload';
