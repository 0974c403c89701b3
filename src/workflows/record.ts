// What a dataset's run knows: statuses by the tables, its uploads, and the rows that the mirror still has to write.
import type {
  CarriedState,
  DatasetInput,
  HistoryRow,
  MirrorBatch,
  ProductSummary,
  UploadState,
} from '../contracts/workflow.js';
import { DATASET_TRANSITIONS, type DatasetStatus, routeTo } from '../domain/dataset.js';
import type { FailureNote } from '../domain/failure.js';
import type { Stage } from '../domain/stage.js';
import { transition } from '../domain/transition.js';
import { isFinal, UPLOAD_TRANSITIONS, type UploadStatus } from '../domain/upload.js';

/** Who caused a change, and why. */
export interface Cause {
  readonly actor: string;
  readonly reason?: string;
}

export class DatasetRecord {
  readonly uuid: string;
  status: DatasetStatus;
  stage: Stage | null = null;
  paused: { readonly by: string; readonly at: number } | null = null;
  failure: FailureNote | null = null;
  product: ProductSummary | null = null;
  sealed = false;
  /** A product of an earlier pass or run is published. */
  published = false;
  revision = 0;
  readonly uploads = new Map<string, UploadState>();
  /** Called after every change that the mirror must write. */
  onChange: () => void = () => undefined;

  #history: HistoryRow[] = [];
  readonly #touched = new Set<string>();
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
    for (const upload of carried.uploads) this.uploads.set(upload.jobId, { ...upload });
  }

  carry(): CarriedState {
    const { revision, status, sealed, published, paused } = this;
    return { revision, status, sealed, published, paused, uploads: [...this.uploads.values()] };
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
    if (from === 'failed') delete upload.failure;
    this.#touched.add(jobId);
    this.#note(`upload:${jobId}`, from, to, cause);
  }

  setPaused(by: string | null): void {
    this.paused = by === null ? null : { by, at: Date.now() };
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

  delivered(): (UploadState & { delivery: NonNullable<UploadState['delivery']> })[] {
    return [...this.uploads.values()].flatMap((upload) =>
      upload.delivery === undefined ? [] : [{ ...upload, delivery: upload.delivery }],
    );
  }

  /** The first failure of an upload that nothing replaced. */
  failedUpload(): FailureNote | undefined {
    return [...this.uploads.values()].find(
      (upload) => upload.status === 'failed' && !upload.replaced && !upload.delivery,
    )?.failure;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  /** Everything the mirror has to write now; what comes later goes into the next batch. */
  take(): MirrorBatch {
    const { uuid, revision, status, stage, paused, failure, product } = this;
    const uploads = [...this.#touched].flatMap((jobId) => this.#uploadRow(jobId));
    const history = this.#history;
    this.#history = [];
    this.#touched.clear();
    this.#dirty = false;
    const delivered = this.delivered().map(({ delivery }) => delivery);
    const bytes = delivered.reduce((sum, delivery) => sum + delivery.bytes, 0);
    const files = delivered.reduce((sum, delivery) => sum + delivery.files, 0);
    const dataset = { status, stage, paused, failure, product, bytes, files };
    return { uuid, revision, dataset, uploads, history };
  }

  #uploadRow(jobId: string): MirrorBatch['uploads'][number][] {
    const upload = this.uploads.get(jobId);
    if (upload === undefined) return [];
    const { status, failure = null, delivery } = upload;
    return [{ jobId, status, failure, bytes: delivery?.bytes ?? null, files: delivery?.files ?? null }];
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

const isOpen = ({ delivery, status }: UploadState): boolean => delivery === undefined && !isFinal(status);
