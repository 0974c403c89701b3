// What a verification is given and what it finds: proof again of a product that was published.
import type { FailureNote } from '../domain/failure.js';
import type { JobStatus } from '../domain/job.js';
import type { Claim } from './claim.js';

/** Start of workflow `job` for the type `verify`. */
export interface VerifyOrder {
  readonly type: 'verify';
  readonly jobId: string;
  readonly uuid: string;
  readonly name: string;
  readonly owner: string;
  readonly by: string;
  /** Of the published product when the job was asked for: its version's `manifest.json`. */
  readonly manifest: Claim;
}

/** Types of jobs that run on their own, each with its order. */
export type JobOrder = VerifyOrder;

/** A file that is not what was published. */
export interface DamagedFile {
  readonly path: string;
  readonly problem: 'missing' | 'changed' | 'unreadable';
  readonly expected: { readonly size: number; readonly sha256: string };
  readonly found: { readonly size: number; readonly sha256: string } | null;
}

export interface VerifyOutput {
  readonly outcome: 'whole' | 'damaged';
  /** Files and bytes that were compared with the checksum manifest. */
  readonly files: number;
  readonly bytes: number;
  /** How many are damaged, and the first of them. */
  readonly damaged: number;
  readonly damagedFiles: readonly DamagedFile[];
  /** Files that nobody published; they damage nothing. */
  readonly added: readonly string[];
  /** What the proof said again, of a product that has one: blocks compared, how sure that is, what differs where. */
  readonly proof: Readonly<Record<string, unknown>> | null;
  /** One sentence. */
  readonly say: string;
}

/** A change of a job's status, written by its workflow's activity. In one run the higher revision wins. */
export interface JobChange {
  readonly order: JobOrder;
  readonly revision: number;
  readonly from: JobStatus;
  readonly to: JobStatus;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly actor: string;
  readonly reason: string;
  readonly result: VerifyOutput | null;
  readonly failure: FailureNote | null;
}
