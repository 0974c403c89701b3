// What a dataset's run knows: statuses by the tables, its uploads, and the rows that the mirror still has to write.
import type {
  CarriedState,
  DatasetInput,
  Delivery,
  HistoryRow,
  MergedUploads,
  MirrorBatch,
  ProductSummary,
  UploadState,
} from '../contracts/workflow.js';
import { DATASET_TRANSITIONS, type DatasetStatus, routeTo } from '../domain/dataset.js';
import type { FailureNote } from '../domain/failure.js';
import type { Stage } from '../domain/stage.js';
import type { TargetRow } from '../domain/target.js';
import { transition } from '../domain/transition.js';
import { isFinal, UPLOAD_STATUSES, UPLOAD_TRANSITIONS, type UploadStatus } from '../domain/upload.js';
import { fromFewWords, inFewWords } from './alike.js';

/** Who caused a change, and why. */
export interface Cause {
  readonly actor: string;
  readonly reason?: string;
}

/** Rows of one batch: a message to an activity may have 2 MB. */
const MOST_ROWS = 2_000;

export class DatasetRecord {
  readonly uuid: string;
  status: DatasetStatus;
  stage: Stage | null = null;
  paused: { readonly by: string; readonly at: number } | null = null;
  failure: FailureNote | null = null;
  product: ProductSummary | null = null;
  /** How the product stands at each target; null: this run has not come to that. */
  targets: readonly TargetRow[] | null = null;
  sealed = false;
  /** A product of an earlier pass or run is published. */
  published = false;
  revision = 0;
  readonly uploads = new Map<string, UploadState>();
  /** What the uploads marked `merged` brought, as one. */
  merged: Delivery | null = null;
  /** Called after every change that the mirror must write. */
  onChange: () => void = () => undefined;

  readonly #history: HistoryRow[] = [];
  readonly #touched = new Set<string>();
  readonly #again = new Map<string, { times: number; at: number }>();
  #dirty = false;

  constructor(input: DatasetInput) {
    this.uuid = input.uuid;
    this.status = input.carried?.status ?? input.status;
    if (input.carried) this.#restore(input.carried);
  }

  #restore(carried: CarriedState): void {
    this.revision = carried.revision;
    this.sealed = carried.sealed;
    this.published = carried.published === true;
    this.paused = carried.paused;
    for (const upload of [...carried.uploads, ...fromFewWords(carried.alike ?? [])])
      this.uploads.set(upload.jobId, { ...upload });
    if (carried.merged) this.takeMerged(carried.merged);
  }

  /** Adds uploads that are known by what they brought together. */
  takeMerged({ delivery, jobs }: MergedUploads): void {
    this.merged = delivery;
    for (const status of UPLOAD_STATUSES) {
      for (const jobId of jobs[status] ?? []) {
        this.uploads.set(jobId, { jobId, status, merged: true });
      }
    }
  }

  /** From now on these uploads stand for their share of one delivery; nothing else of them is kept. */
  merge(jobIds: readonly string[], delivery: Delivery): void {
    this.merged = delivery;
    for (const jobId of jobIds) {
      const upload = this.uploads.get(jobId);
      if (upload) this.uploads.set(jobId, { jobId, status: upload.status, merged: true });
    }
  }

  /** Small however many uploads there are: of most of them only the id goes along. */
  carry(): CarriedState {
    const { revision, status, sealed, published, paused } = this;
    const all = [...this.uploads.values()];
    const { whole: uploads, alike } = inFewWords(all);
    const state = {
      revision,
      status,
      sealed,
      published,
      paused,
      uploads,
      ...(alike.length ? { alike } : {}),
    };
    return this.merged === null
      ? state
      : { ...state, merged: { delivery: this.merged, jobs: idsByStatus(all) } };
  }

  /** Moves along one row of the table. @throws TransitionRefused */
  move(to: DatasetStatus, cause: Cause): void {
    const from = this.status;
    this.status = transition(DATASET_TRANSITIONS, from, to);
    this.#note(`dataset:${this.uuid}`, from, to, cause);
  }

  /**
   * Moves to a status, through its queued state if need be.
   * @returns whether it is there now; without a row that leads there it stays where it is
   */
  enter(to: DatasetStatus, cause: Cause): boolean {
    for (const step of routeTo(this.status, to) ?? []) this.move(step, cause);
    return this.status === to;
  }

  moveUpload(jobId: string, to: UploadStatus, cause: Cause): void {
    const upload = this.uploads.get(jobId);
    if (upload === undefined || upload.status === to) return;
    const from = upload.status;
    upload.status = transition(UPLOAD_TRANSITIONS, from, to);
    if (from === 'failed') {
      delete upload.failure;
      this.#again.set(jobId, { times: (this.#again.get(jobId)?.times ?? 0) + 1, at: Date.now() });
    }
    this.#touched.add(jobId);
    this.#note(`upload:${jobId}`, from, to, cause);
  }

  setPaused(by: string | null): void {
    this.paused = by === null ? null : { by, at: Date.now() };
    this.touch();
  }

  setTarget(row: TargetRow): void {
    this.targets = (this.targets ?? []).map((known) => (known.target === row.target ? row : known));
    this.touch();
  }

  /** Something that is no status changed and must be shown. */
  touch(jobId?: string): void {
    this.revision += 1;
    if (jobId !== undefined) this.#touched.add(jobId);
    this.#dirty = true;
    this.onChange();
  }

  open(): UploadState[] {
    return [...this.uploads.values()].filter(isOpen);
  }

  isOpen(jobId: string): boolean {
    const upload = this.uploads.get(jobId);
    return upload !== undefined && isOpen(upload);
  }

  delivered(): UploadState[] {
    return [...this.uploads.values()].filter(isDelivered);
  }

  isDelivered(jobId: string): boolean {
    const upload = this.uploads.get(jobId);
    return upload !== undefined && isDelivered(upload);
  }

  /** What came, all of it, in as few parts as it is known. */
  deliveries(): Delivery[] {
    const single = [...this.uploads.values()].flatMap(({ delivery }) => delivery ?? []);
    return this.merged === null ? single : [this.merged, ...single];
  }

  /**
   * The first failure of an upload that nothing replaced. That of an upload that stands alone counts when a system
   * broke, or when nothing else came.
   */
  failedUpload(): FailureNote | undefined {
    const failed = [...this.uploads.values()].filter(
      (upload) => upload.status === 'failed' && !upload.replaced && !isDelivered(upload),
    );
    const isOwn = ({ alone, order, failure }: UploadState): boolean =>
      (alone ?? order?.alone) === true && failure?.blame !== 'system' && this.delivered().length > 0;
    return failed.find((upload) => !isOwn(upload))?.failure;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  /** What the mirror has to write now; what comes later, or is too much for one message, goes into the next batch. */
  take(): MirrorBatch {
    const { uuid, revision, status, stage, paused, failure, product, targets } = this;
    const history = this.#history.splice(0, MOST_ROWS);
    const touched = [...this.#touched].slice(0, MOST_ROWS);
    const uploads = touched.flatMap((jobId) => this.#uploadRow(jobId));
    for (const jobId of touched) {
      this.#touched.delete(jobId);
      this.#again.delete(jobId);
    }
    this.#dirty = this.#history.length > 0 || this.#touched.size > 0;
    const deliveries = this.deliveries();
    const bytes = deliveries.reduce((sum, delivery) => sum + delivery.bytes, 0);
    const files = deliveries.reduce((sum, delivery) => sum + delivery.files, 0);
    const there = targets === null ? {} : { targets };
    const dataset = { status, stage, paused, failure, product, bytes, files, ...there };
    return { uuid, revision, dataset, uploads, history };
  }

  #uploadRow(jobId: string): MirrorBatch['uploads'][number][] {
    const upload = this.uploads.get(jobId);
    if (upload === undefined) return [];
    const { status, failure = null, delivery } = upload;
    const { bytes = null, files = null, leftOut } = delivery ?? {};
    const again = this.#again.get(jobId);
    const more = { ...(leftOut ? { leftOut } : {}), ...(again ? { again } : {}) };
    return [{ jobId, status, failure, bytes, files, ...more }];
  }

  #note(entity: string, from: string, to: string, cause: Cause): void {
    this.touch();
    const { actor, reason } = cause;
    const at = Date.now();
    this.#history.push({
      entity,
      revision: this.revision,
      from,
      to,
      at,
      actor,
      ...(reason ? { reason } : {}),
    });
  }
}

const isDelivered = ({ delivery, merged }: UploadState): boolean => delivery !== undefined || merged === true;

const isOpen = (upload: UploadState): boolean => !isDelivered(upload) && !isFinal(upload.status);

function idsByStatus(uploads: readonly UploadState[]): MergedUploads['jobs'] {
  const ids: Partial<Record<UploadStatus, string[]>> = {};
  for (const { jobId, status, merged } of uploads) {
    if (!merged) continue;
    const list = ids[status] ?? [];
    ids[status] = list;
    list.push(jobId);
  }
  return ids;
}
