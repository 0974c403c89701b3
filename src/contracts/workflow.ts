// What workflows, activities and the API say to each other. Types only: nothing here runs in the workflow sandbox.
import type { DatasetStatus } from '../domain/dataset.js';
import type { FailureNote } from '../domain/failure.js';
import type { Priority } from '../domain/priority.js';
import type { Sensor } from '../domain/sensor.js';
import type { Source } from '../domain/source.js';
import type { Stage } from '../domain/stage.js';
import type { TargetRow } from '../domain/target.js';
import type { UploadStatus } from '../domain/upload.js';
import type { Claim } from './claim.js';

/** Start of workflow `dataset`. Everything a run needs to know without reading the database. */
export interface DatasetInput {
  readonly uuid: string;
  readonly name: string;
  readonly owner: string;
  readonly team?: string;
  readonly sensor: Sensor;
  readonly convert: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What is to be done with archives beyond unpacking them. */
  readonly archives?: ArchiveWishes;
  /** The row's status when this run was started: what its first transition starts from. */
  readonly status: DatasetStatus;
  /** The row was created by the very request that started this run; otherwise the run first recalls what is known. */
  readonly fresh: boolean;
  /** Why the run exists: a delivery, a retry after a failure, or a wish to convert again. */
  readonly reason: 'delivery' | 'retry' | 'convert';
  /** Who started it (an e-mail, or the name of a part of Sluice). */
  readonly by: string;
  /** How urgent the run is, in every queue; left out: normal. Only the start of the workflow reads it. */
  readonly priority?: Priority;
  /** Uploads to take up again (retry: those without a receipt). */
  readonly uploads?: readonly UploadOrder[];
  /** More of them, whose orders the run asks for when their turn comes: a message may have 2 MB. */
  readonly again?: readonly string[];
  /** Names of the targets that the product is copied to. */
  readonly publishTo?: readonly string[];
  /** A retry of a published dataset: nothing but the targets that lack this product. */
  readonly sendAgain?: { readonly product: ProductSummary; readonly targets: readonly TargetRow[] };
  /** Milliseconds without a new upload after which an unsealed dataset counts as sealed. */
  readonly quietMs: number;
  /** Handed from run to run by continue-as-new. */
  readonly carried?: CarriedState;
}

/** Only what differs from the usual is set. */
export interface ArchiveWishes {
  /** Archives inside archives are unpacked as well, one level deep. */
  readonly nested?: true;
  /** Archives are removed once they are unpacked. */
  readonly drop?: true;
}

/** One delivery into a dataset. */
export interface UploadOrder {
  readonly jobId: string;
  readonly source: Source;
  /** Nothing more is coming: the dataset may start as soon as its open uploads have ended. */
  readonly seal: boolean;
  readonly by: string;
  /** A failed upload that this one sends again. */
  readonly replaces?: string;
  /** Directory below the dataset's that its files go to where another upload's file has their path already. */
  readonly folder?: string;
  /**
   * One of several that a client sends each for itself: where its own content or its client failed it, the dataset goes
   * on with what else came.
   */
  readonly alone?: true;
  /** What to do when another dataset has the same bytes; default: they are kept and marked. */
  readonly duplicates?: 'link' | 'ask';
  /** How urgent this upload is; left out: as its dataset. */
  readonly priority?: Priority;
}

export interface UploadInput {
  readonly uuid: string;
  readonly owner: string;
  readonly team?: string;
  readonly sensor: Sensor;
  readonly order: UploadOrder;
}

/** How an upload ended: the result of workflow `upload`. One that failed or was cancelled throws instead. */
export interface UploadReport {
  readonly jobId: string;
  readonly outcome: 'delivered' | 'failed' | 'cancelled';
  readonly delivery?: Delivery;
  /** See FetchOutput. */
  readonly noted?: boolean;
  readonly failure?: FailureNote;
}

/** What an upload brought: the claim of its file manifest, and what the dataset must know without reading it. */
export interface Delivery {
  readonly manifest: Claim;
  readonly files: number;
  readonly bytes: number;
  readonly archives: number;
  /** What its source had and did not give, as it was asked to. */
  readonly leftOut?: LeftOut;
}

export interface LeftOut {
  readonly count: number;
  /** The first of them, each with the reason where it is known. */
  readonly names: readonly string[];
}

/** A command of a user. It carries the run it was meant for, because Reset applies old signals again. */
export interface Command {
  readonly by: string;
  readonly runId?: string;
  readonly reason?: string;
  /** Only this upload of the dataset; otherwise the dataset and all its uploads. */
  readonly jobId?: string;
}

/** What a dataset's run knows of one of its uploads. */
export interface UploadState {
  readonly jobId: string;
  /** What was asked for; after a hand-over it may have to be asked of the database. */
  order?: UploadOrder;
  status: UploadStatus;
  /** As in its order. */
  alone?: true;
  /** Its workflow was started; after a hand-over it is waited for, however it stands. */
  begun?: boolean;
  /** See FetchOutput. */
  noted?: boolean;
  delivery?: Delivery;
  /** It was delivered, and what it brought is part of the merged delivery. */
  merged?: true;
  failure?: FailureNote;
  /** A later upload sends the same again, so the failure of this one does not count. */
  replaced?: boolean;
}

/** What survives continue-as-new. */
export interface CarriedState {
  readonly revision: number;
  readonly status: DatasetStatus;
  readonly sealed: boolean;
  readonly published?: boolean;
  readonly paused: { readonly by: string; readonly at: number } | null;
  /** The first of those that are open, and what was delivered last, with all that is known of them. */
  readonly uploads: readonly UploadState[];
  readonly merged?: MergedUploads;
  /** All others. */
  readonly alike?: readonly AlikeUploads[];
}

/** Many uploads that stand alike, in few words: there may be tens of thousands, and a message may have 2 MB. */
export interface AlikeUploads extends Pick<UploadState, 'status' | 'alone' | 'begun' | 'replaced'> {
  /** Of the first one; the others failed by the same code. */
  readonly failure?: FailureNote;
  readonly jobs: readonly string[];
}

/** Many delivered uploads in few words. */
export interface MergedUploads {
  /** Of all of them together. */
  readonly delivery: Delivery;
  readonly jobs: Readonly<Partial<Record<UploadStatus, readonly string[]>>>;
}

/** Answer of the query `state`. */
export interface DatasetView {
  readonly uuid: string;
  readonly status: DatasetStatus;
  readonly paused: 'no' | 'pausing' | 'paused';
  readonly stage?: Stage;
  readonly sealed: boolean;
  readonly revision: number;
  /** How many uploads have which status. */
  readonly counts: Readonly<Partial<Record<UploadStatus, number>>>;
  /** The first of them; where there are very many, only of those that are open or failed. */
  readonly uploads: readonly { jobId: string; status: UploadStatus; failure?: FailureNote }[];
  readonly failure?: FailureNote;
}

/** One line of the append-only status history. */
export interface HistoryRow {
  /** `dataset:<uuid>` or `upload:<jobId>`. */
  readonly entity: string;
  readonly revision: number;
  readonly from: string | null;
  readonly to: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly actor: string;
  readonly reason?: string;
}

/** The newest state of a dataset and its uploads, and all history rows since the last write. */
export interface MirrorBatch {
  readonly uuid: string;
  readonly revision: number;
  readonly dataset: {
    readonly status: DatasetStatus;
    readonly stage: Stage | null;
    readonly paused: { readonly by: string; readonly at: number } | null;
    readonly failure: FailureNote | null;
    readonly product: ProductSummary | null;
    /** Of everything delivered so far. */
    readonly bytes: number;
    readonly files: number;
    /** Left out: as they are. */
    readonly targets?: readonly TargetRow[];
  };
  readonly uploads: readonly {
    readonly jobId: string;
    readonly status: UploadStatus;
    readonly failure: FailureNote | null;
    readonly bytes: number | null;
    readonly files: number | null;
    readonly leftOut?: LeftOut;
    /** It was taken up again after a failure: so many times since the last write, the last time at (ms since 1970). */
    readonly again?: { readonly times: number; readonly at: number };
  }[];
  readonly history: readonly HistoryRow[];
}

/** Paths in the product. */
export interface ProductPictures {
  /** Middle slices across the axes x and y; the preview is the one across z. */
  readonly x?: string;
  readonly y?: string;
  /** Slices, or timesteps, side by side. */
  readonly strip?: string;
  /** How often which values occur: a picture, and as JSON. */
  readonly histogram?: string;
  readonly counts?: string;
}

/** What the mirror shows of a published product. */
export interface ProductSummary {
  /** Claim of the product's manifest (`manifest.json`). */
  readonly manifest: Claim;
  readonly kind: string;
  readonly entry: string | null;
  readonly bytes: number;
  readonly files: number;
  readonly preview: string | null;
  /** The other pictures, by name; products of earlier versions have none. */
  readonly pictures?: ProductPictures;
  /** Blocks compared with the source, and of how many. */
  readonly checked: number;
  readonly blocks: number;
}
