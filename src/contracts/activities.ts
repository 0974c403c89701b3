// The activities that workflows call: one object in, one small object out. Factories in src/activities implement them.
import type { DatasetStatus } from '../domain/dataset.js';
import type { Priority } from '../domain/priority.js';
import type { Sensor } from '../domain/sensor.js';
import type { ReceivedSource } from '../domain/source.js';
import type { UploadStatus } from '../domain/upload.js';
import type { Claim } from './claim.js';
import type { JobChange, VerifyOrder, VerifyOutput } from './verification.js';
import type {
  ArchiveWishes,
  Delivery,
  MergedUploads,
  MirrorBatch,
  ProductSummary,
  UploadOrder,
  UploadReport,
} from './workflow.js';

export interface FetchInput {
  readonly uuid: string;
  readonly jobId: string;
  readonly order: UploadOrder;
  /** Of the dataset; a run of an earlier version does not say it. */
  readonly owner?: string;
}
/** `done: false` when a pause ended it; `confirmed` bytes lie in the journal and are not fetched again. */
export type FetchOutput =
  | {
      readonly done: true;
      readonly delivery: Delivery;
      /** Its files are known to other datasets already; otherwise the dataset sees to it. */
      readonly noted?: boolean;
    }
  | {
      readonly done: false;
      readonly confirmed: number;
      /** Nobody paused it: its owner has as many transfers, or bytes on their way, at once as one may have. */
      readonly waits?: true;
    };

/** An upload whose bytes a client sends. */
export interface LookInput {
  /** Runs of an earlier version do not say it. */
  readonly uuid?: string;
  readonly jobId: string;
  readonly expiresAfterMs: number;
  /** When the waiting began, ms since 1970: the last byte is not older. */
  readonly since: number;
}
/** `expired`: nothing more can be written to it from now on. */
export type LookOutput =
  | { readonly state: 'whole'; readonly source: ReceivedSource }
  | { readonly state: 'waiting'; readonly leftMs: number }
  | { readonly state: 'expired' };

/** Whose turn it is to be; runs of an earlier version do not say it. */
export interface TurnWish {
  readonly owner?: string;
  readonly priority?: Priority;
}
/** Its owner has as many conversions at once as one may have; the workflow hears the signal `turn`. */
export interface Waits {
  readonly waits: true;
}

export interface ExtractInput extends TurnWish {
  readonly uuid: string;
  /** Manifests of all uploads that belong to the dataset in this pass. */
  readonly manifests: readonly Claim[];
  readonly archives?: ArchiveWishes;
}
/** All files of a pass. */
export interface StageInput extends Omit<ExtractInput, 'archives'> {
  /** Manifest of the files that the archives held, when there were archives. */
  readonly extracted?: Claim;
}
export interface ExtractOutput {
  /** Manifest of the files that the archives held. */
  readonly manifest: Claim;
  readonly files: number;
  readonly bytes: number;
}
export interface ConvertInput extends StageInput {
  /** Set when a user asked to convert again: names the wish, so that no earlier receipt answers it. */
  readonly anew?: string;
  readonly sensor: Sensor;
  readonly convert: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
}
/** A product in staging: `product.key` is its directory, `product.digest` the digest of its file manifest. */
export interface ConvertOutput {
  readonly product: Claim;
}
export interface ValidateInput {
  readonly uuid: string;
  readonly product: Claim;
}
export interface ValidateOutput {
  /** The record of the proof (JSON in the product). */
  readonly report: Claim;
}
export interface PublishInput extends StageInput {
  readonly product: Claim;
  readonly report: Claim;
  readonly name: string;
  readonly owner: string;
  readonly sensor: Sensor;
}
export interface PublishOutput {
  readonly product: ProductSummary;
}

/** What a run into an existing dataset must know: its present status and the uploads that have a receipt. */
export interface RecallOutput {
  readonly status: DatasetStatus;
  /** A product is published; left out in histories of 0.1.0. */
  readonly published?: boolean;
  readonly delivered: readonly {
    readonly jobId: string;
    readonly status: UploadStatus;
    readonly delivery: Delivery;
  }[];
  /** The others, when there are many. */
  readonly merged?: MergedUploads;
}

export interface TransferActivities {
  fetchSource(input: FetchInput): Promise<FetchOutput>;
}
export interface ComputeActivities {
  extractArchives(input: ExtractInput): Promise<ExtractOutput | Waits>;
  convertDataset(input: ConvertInput): Promise<ConvertOutput | Waits>;
  validateProduct(input: ValidateInput): Promise<ValidateOutput>;
  publishProduct(input: PublishInput): Promise<PublishOutput>;
}
/** The work of jobs that run on their own. */
export interface JobActivities {
  /** Compares a published product with its checksums and with its proof again; damage is an answer, not a failure. */
  verifyProduct(order: VerifyOrder): Promise<VerifyOutput>;
}
export interface PublishToInput {
  readonly uuid: string;
  /** Whose limits on bandwidth hold; runs of an earlier version do not say it. */
  readonly owner?: string;
  /** Name of the target. */
  readonly target: string;
  /** Of the published product. */
  readonly manifest: Claim;
}
export interface PublishToOutput {
  /** Where it lies there. */
  readonly url: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that had to be sent; the others were there. */
  readonly sent: number;
  /** Files whose content was read back and hashed. */
  readonly readBack: number;
}
export interface TargetActivities {
  /** Copies the published product to one more place, and proves that it is there. */
  publishTo(input: PublishToInput): Promise<PublishToOutput>;
}
export interface ControlActivities {
  /** Writes the newest state and all history rows; returns the run id it ran in (a Reset shows as another one). */
  mirror(batch: MirrorBatch): Promise<{ readonly runId: string }>;
  /** Writes how a job of its own stands. */
  showJob(change: JobChange): Promise<void>;
  /** The dataset's status and its uploads that already have a receipt. */
  recallDataset(input: { readonly uuid: string }): Promise<RecallOutput>;
  /** What was asked for by these uploads, as their rows keep it; those without a row are left out. */
  recallOrders(input: {
    readonly uuid: string;
    readonly jobIds: readonly string[];
  }): Promise<readonly UploadOrder[]>;
  /** One delivery for many: the same files, in one list. */
  mergeDeliveries(input: {
    readonly uuid: string;
    readonly deliveries: readonly Delivery[];
  }): Promise<Delivery>;
  /** Makes the files of the dataset's deliveries known, and marks what other datasets hold too. */
  noteDigests(input: { readonly uuid: string }): Promise<void>;
  /**
   * Removes what an upload left in staging; its secret too, when it will never be asked for again. `awaited`: no
   * client may write to it any more. `cancelledIn`: the dataset of one that was cancelled, which is noted there.
   */
  discardUpload(input: {
    readonly jobId: string;
    readonly forgetSecret: boolean;
    readonly awaited?: true;
    readonly cancelledIn?: string;
  }): Promise<void>;
  /** Whether the bytes of an upload have come meanwhile, and how long one may still wait for the next. */
  lookAtUpload(input: LookInput): Promise<LookOutput>;
  /** Removes what the dataset's stages left in staging; a finished product stays when only a system broke. */
  discardDataset(input: { readonly uuid: string; readonly keepProducts: boolean }): Promise<void>;
  /** Answers as the upload's workflow, started by an earlier run, when it has closed: with its result or its failure. */
  watchUpload(input: { readonly jobId: string }): Promise<UploadReport>;
  /** Requests the cancellation of a run that ends because our own command cancelled it. */
  requestCancellation(input: { readonly workflowId: string; readonly runId: string }): Promise<void>;
}
