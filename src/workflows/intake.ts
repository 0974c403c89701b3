// Deliveries into a dataset: one child workflow each, started as they come, heard when they end.
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  setHandler,
  startChild,
} from '@temporalio/workflow';
import type { DatasetInput, UploadOrder, UploadReport } from '../contracts/workflow.js';
import { noteFailure } from '../domain/failure.js';
import { uploadWorkflowId } from '../domain/ids.js';
import { sourceWords } from '../domain/source.js';
import { isFinal } from '../domain/upload.js';
import {
  addUploadSignal,
  pauseSignal,
  resumeSignal,
  uploadEndedSignal,
  uploadPausedSignal,
  WORKFLOW_TYPES,
} from './messages.js';
import type { DatasetRecord } from './record.js';

export class Intake {
  readonly #input: DatasetInput;
  readonly #record: DatasetRecord;
  /** Counts deliveries that came, so that the story can tell that something new arrived. */
  arrivals = 0;

  constructor(input: DatasetInput, record: DatasetRecord) {
    this.#input = input;
    this.#record = record;
    setHandler(addUploadSignal, (order) => this.take(order));
    setHandler(uploadEndedSignal, (report) => this.#ended(report));
    setHandler(uploadPausedSignal, ({ jobId, paused, by }) => {
      record.moveUpload(jobId, paused ? 'paused' : 'uploading', { actor: by });
    });
  }

  /** Takes a delivery up, once: the same order may come again after a Reset or a repeated call. */
  take(order: UploadOrder): void {
    const { jobId } = order;
    const known = this.#record.uploads.get(jobId);
    if (known !== undefined && known.failure === undefined) return;
    if (known?.delivery !== undefined) return;
    this.#record.uploads.set(jobId, { jobId, status: 'uploading' });
    this.#record.sealed ||= order.seal;
    this.arrivals += 1;
    const replaced = order.replaces === undefined ? undefined : this.#record.uploads.get(order.replaces);
    if (replaced !== undefined) replaced.replaced = true;
    void CancellationScope.nonCancellable(() => this.#start(order));
  }

  /** Tells every open upload (or one) to pause, resume or cancel. */
  async tell(what: 'pause' | 'resume' | 'cancel', by: string, jobId?: string): Promise<void> {
    const open = this.#record.open().filter((upload) => jobId === undefined || upload.jobId === jobId);
    await CancellationScope.nonCancellable(() =>
      Promise.all(open.map((upload) => this.#tellOne(upload.jobId, what, by))),
    );
  }

  async #tellOne(jobId: string, what: 'pause' | 'resume' | 'cancel', by: string): Promise<void> {
    const handle = getExternalWorkflowHandle(uploadWorkflowId(jobId));
    try {
      if (what === 'cancel') await handle.cancel();
      else await handle.signal(what === 'pause' ? pauseSignal : resumeSignal, { by });
    } catch (error) {
      log.info('the upload ended meanwhile', { jobId, error: String(error) });
    }
  }

  async #start(order: UploadOrder): Promise<void> {
    await condition(() => this.#record.paused === null);
    const { uuid, owner, sensor, team } = this.#input;
    try {
      const child = await startChild(WORKFLOW_TYPES.upload, {
        workflowId: uploadWorkflowId(order.jobId),
        args: [{ uuid, owner, sensor, order, ...(team ? { team } : {}) }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        staticSummary: `Fetch ${sourceWords(order.source)}`,
        typedSearchAttributes: this.#searchAttributes(),
      });
      // An upload reports before it ends; one that ends without a report was terminated.
      child.result().catch(() => {
        this.#ended({ jobId: order.jobId, outcome: 'failed', failure: noteFailure('terminated') });
      });
    } catch (error) {
      // It runs already: started by a run of this dataset before a Reset. It will report to this run.
      if (error instanceof WorkflowExecutionAlreadyStartedError) return;
      throw error;
    }
  }

  #searchAttributes(): TypedSearchAttributes {
    const { uuid, owner, sensor, team } = this.#input;
    const values = { SluiceKind: 'upload', SluiceDataset: uuid, SluiceOwner: owner, SluiceSensor: sensor };
    return new TypedSearchAttributes(
      Object.entries(team === undefined ? values : { ...values, SluiceTeam: team }).map(([name, value]) => ({
        key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
        value,
      })),
    );
  }

  #ended(report: UploadReport): void {
    const upload = this.#record.uploads.get(report.jobId);
    if (upload === undefined || upload.delivery !== undefined || isFinal(upload.status)) return;
    const cause = { actor: 'upload', ...(report.failure ? { reason: report.failure.say } : {}) };
    if (report.delivery !== undefined) {
      upload.delivery = report.delivery;
      this.#record.moveUpload(report.jobId, 'processing', cause);
    } else if (report.outcome === 'cancelled') {
      this.#record.moveUpload(report.jobId, 'cancelled', cause);
    } else {
      if (report.failure) upload.failure = report.failure;
      this.#record.moveUpload(report.jobId, 'failed', cause);
    }
  }
}
