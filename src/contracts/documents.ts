// Documents in MongoDB. Field names of visstoredatas and jobs are the contract's (ScientistCloud sheet 3.1, 4.2);
// what is ours alone stands under `sluice`. Times are BSON dates.
import type { DatasetStatus } from '../domain/dataset.js';
import type { FailureNote } from '../domain/failure.js';
import type { JobStatus } from '../domain/job.js';
import type { Priority } from '../domain/priority.js';
import type { Progress } from '../domain/progress.js';
import type { Sensor } from '../domain/sensor.js';
import type { SourceKind } from '../domain/source.js';
import type { Stage } from '../domain/stage.js';
import type { TargetRow, TargetsState } from '../domain/target.js';
import type { UploadStatus } from '../domain/upload.js';
import type { VerifyOutput } from './verification.js';
import type { LeftOut, ProductSummary } from './workflow.js';

export const COLLECTIONS = {
  datasets: 'visstoredatas',
  jobs: 'jobs',
  history: 'job_status_changes',
  idempotency: 'idempotency_keys',
  leases: 'leases',
  digests: 'file_digests',
  verifications: 'verifications',
  limits: 'limits',
  shares: 'limit_shares',
  writers: 'upload_writers',
  usage: 'usage',
  keys: 'key_marks',
  turns: 'turns',
  waiting: 'turns_waiting',
} as const;

/** The same bytes are in another dataset. Of a dataset that several uploads filled: what their marks come to. */
export interface DuplicateMark {
  readonly dataset: string;
  /** Of that dataset. */
  readonly name: string;
  /** Of the one file, when it is one. */
  readonly path: string | null;
  /** How many files are there, and of how many. */
  readonly files: number;
  readonly of: number | null;
}

/** Progress as an activity wrote it (at most once a second), guarded by who measured it. */
export interface StoredProgress extends Progress {
  readonly runId: string;
  readonly attempt: number;
  readonly mbPerSecond?: number;
  readonly etaSeconds?: number;
  readonly at: Date;
}

/** Which write of the mirror this row shows: in one run the higher revision wins. */
export interface MirrorMark {
  readonly runId: string | null;
  readonly revision: number;
}

export interface DatasetDocument {
  readonly uuid: string;
  readonly name: string;
  readonly slug: string;
  /** Owner's e-mail, three times for older readers. */
  readonly user: string;
  readonly user_id: string;
  readonly user_email: string;
  readonly sensor: Sensor;
  readonly convert: boolean;
  readonly data_conversion_needed: boolean;
  readonly is_public: boolean;
  readonly is_public_downloadable: boolean;
  readonly folder_uuid: string | null;
  readonly team_uuid: string | null;
  readonly tags: string;
  readonly conversion_parameters: Readonly<Record<string, unknown>>;
  /** Rows of other programs have neither; then archives are kept and inner ones left as they are. */
  readonly unpack_nested?: boolean;
  readonly keep_archives?: boolean;
  /** Names of publish targets; left out: none. */
  readonly publish_to?: readonly string[];
  readonly source_type: SourceKind;
  /** The latest upload job. */
  readonly job_id: string | null;
  readonly status: DatasetStatus;
  readonly status_message: string;
  readonly error_message: string | null;
  readonly total_size_bytes: number;
  readonly file_count: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly completed_at: Date | null;
  readonly sluice: MirrorMark & {
    /** What we wrote last into `status`: a row whose status differs was written by somebody else. */
    readonly status: DatasetStatus;
    readonly stage: Stage | null;
    readonly paused: { readonly by: string; readonly at: number } | null;
    readonly failure: FailureNote | null;
    readonly product: ProductSummary | null;
    /** The product at each target, and all of them in one word. */
    readonly targets?: readonly TargetRow[];
    readonly targetsState?: TargetsState | null;
    readonly progress?: StoredProgress | null;
    readonly duplicateOf?: DuplicateMark | null;
    /** The last verification of a product, by its manifest's digest; says nothing about another product. */
    readonly verified?: VerifiedMark | null;
  };
}

export interface VerifiedMark {
  readonly at: Date;
  readonly outcome: VerifyOutput['outcome'];
  readonly jobId: string;
  readonly manifest: string;
}

/** A job that proves a published product again. */
export interface VerificationDocument {
  readonly job_id: string;
  readonly dataset_uuid: string;
  readonly user_email: string;
  readonly status: JobStatus;
  readonly result: VerifyOutput | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly updated_at: Date;
  readonly sluice: MirrorMark & {
    readonly failure: FailureNote | null;
    readonly progress?: StoredProgress | null;
  };
}

export interface JobDocument {
  readonly job_id: string;
  readonly dataset_uuid: string;
  readonly job_type: 'upload';
  readonly status: JobStatus;
  readonly upload_status: UploadStatus;
  readonly priority: Priority;
  readonly user_email: string;
  readonly source_type: SourceKind;
  /** Origin in words, without secrets. */
  readonly source: string;
  readonly bytes_uploaded: number;
  readonly bytes_total: number;
  readonly file_count: number;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly worker_id: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: string | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly updated_at: Date;
  /** The API process that receives the bytes renews this; when it runs out, the upload was interrupted. */
  readonly receiver: { readonly id: string; readonly until: Date; readonly seal: boolean } | null;
  readonly sluice: MirrorMark & {
    readonly failure: FailureNote | null;
    readonly progress?: StoredProgress | null;
    readonly leftOut?: LeftOut;
    readonly duplicateOf?: DuplicateMark | null;
  };
}

export interface HistoryDocument {
  /** entity/runId/revision */
  readonly _id: string;
  readonly entity: string;
  readonly dataset_uuid: string;
  readonly runId: string | null;
  readonly revision: number;
  readonly from: string | null;
  readonly to: string;
  readonly at: Date;
  readonly actor: string;
  readonly reason: string | null;
}
