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
  type ChildWorkflowHandle,
  condition,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  setHandler,
  startChild,
} from '@temporalio/workflow';
import type { DatasetInput, UploadOrder, UploadReport, UploadState } from '../contracts/workflow.js';
import { noteFailure } from '../domain/failure.js';
import { uploadWorkflowId } from '../domain/ids.js';
import { sourceWords } from '../domain/source.js';
import { isFinal } from '../domain/upload.js';
import { noteOf } from './failures.js';
import {
  addUploadSignal,
  bytesWholeSignal,
  pauseSignal,
  resumeSignal,
  uploadPausedSignal,
  WORKFLOW_TYPES,
} from './messages.js';
import { recallOrders, watchUpload } from './proxies.js';
import { quietly } from './quietly.js';
import type { DatasetRecord } from './record.js';
import type { upload } from './upload.js';

/** How far the child of an upload is: a child that is being started cannot be told anything yet. */
type Child = 'starting' | 'started';
type Verb = 'pause' | 'resume' | 'cancel';

/** Children at once: a task that starts more than the server's 2,000 would fail for ever. The others wait here. */
const MOST_CHILDREN = 100;

export class Intake {
  readonly #input: DatasetInput;
  readonly #record: DatasetRecord;
  readonly #children = new Map<string, Child>();
  /** Uploads that have yet to start, in their order. */
  readonly #waiting = new Set<string>();
  readonly #replaced = new Set<string>();
  #open = false;
  #running = 0;
  #closed: string | undefined;
  /** Counts deliveries that came, so that the story can tell that something new arrived. */
  arrivals = 0;

  constructor(input: DatasetInput, record: DatasetRecord) {
    this.#input = input;
    this.#record = record;
    setHandler(addUploadSignal, (order) => quietly(() => this.take(order)));
    void CancellationScope.nonCancellable(() => this.#startInTurn());
    setHandler(uploadPausedSignal, (report) =>
      quietly(() => {
        const { jobId, paused, by } = report;
        record.moveUpload(jobId, paused ? 'paused' : 'uploading', { actor: by });
      }),
    );
  }

  /** From now on uploads may start: what the dataset is, is known. */
  open(): void {
    this.#open = true;
    for (const { jobId } of this.#record.open()) if (!this.#children.has(jobId)) this.#begin(jobId);
  }

  /** From now on uploads end as cancelled as they come: the dataset was cancelled. */
  close(by: string): void {
    this.#closed = by;
  }

  /** From now on no upload starts here: the next run of the dataset does it. */
  hold(): void {
    this.#open = false;
  }

  /** Takes a delivery up, once: the same order may come again after a Reset or a repeated call. */
  take(order: UploadOrder): void {
    const { jobId } = order;
    const known = this.#record.uploads.get(jobId);
    if (known !== undefined) {
      this.#bytesCame(known, order);
      return;
    }
    const replaced = this.#replaced.has(jobId) ? { replaced: true } : {};
    this.#record.uploads.set(jobId, { jobId, order, status: 'uploading', ...aloneIn(order), ...replaced });
    this.#record.sealed ||= order.seal;
    this.arrivals += 1;
    if (order.replaces !== undefined) this.#replace(order.replaces);
    this.#begin(jobId);
  }

  /** Starts an upload that failed once more. */
  takeAgain(jobId: string, by: string, order = this.#record.uploads.get(jobId)?.order): void {
    const known = order === undefined ? {} : { order, ...aloneIn(order) };
    this.#record.uploads.set(jobId, { jobId, status: 'failed', ...known });
    this.#record.moveUpload(jobId, 'queued', { actor: by, reason: 'retry' });
    this.#record.moveUpload(jobId, 'uploading', { actor: by, reason: 'retry' });
    this.arrivals += 1;
    this.#begin(jobId);
  }

  /** Tells every open upload (or one) to pause, resume or cancel. */
  async tell(verb: Verb, by: string, jobId?: string): Promise<void> {
    const open = this.#record.open().filter((upload) => jobId === undefined || upload.jobId === jobId);
    await CancellationScope.nonCancellable(() =>
      Promise.all(open.map((upload) => this.#tellOne(upload.jobId, verb, by, jobId !== undefined))),
    );
  }

  async #tellOne(jobId: string, verb: Verb, by: string, alone: boolean): Promise<void> {
    if (this.#waiting.has(jobId)) {
      if (verb === 'cancel') this.#ended({ jobId, outcome: 'cancelled' });
      else if (verb === 'resume') this.#record.moveUpload(jobId, 'uploading', { actor: by });
      // While the whole dataset stands still, nothing starts anyhow.
      else if (alone) this.#record.moveUpload(jobId, 'paused', { actor: by });
      return;
    }
    // The server refuses a task that starts a child and cancels it.
    await condition(() => this.#children.get(jobId) !== 'starting');
    const handle = getExternalWorkflowHandle(uploadWorkflowId(jobId));
    try {
      if (verb === 'cancel') await handle.cancel();
      else await handle.signal(verb === 'pause' ? pauseSignal : resumeSignal, { by });
    } catch (error) {
      log.info('the upload ended meanwhile', { jobId, error: String(error) });
    }
  }

  /** The order of an awaited upload comes once more, with what was received: its child goes on with that. */
  #bytesCame(upload: UploadState, order: UploadOrder): void {
    const { jobId, source } = order;
    // An order that is not known may be that of an awaited one; whoever does not wait for bytes leaves the word.
    if ((upload.order?.source.kind ?? 'awaited') !== 'awaited' || source.kind !== 'received') return;
    upload.order = order;
    this.#record.sealed ||= order.seal;
    // One that has yet to start does so with the new order.
    if (this.#waiting.has(jobId) || !this.#record.isOpen(jobId)) return;
    void CancellationScope.nonCancellable(async () => {
      await condition(() => this.#children.get(jobId) !== 'starting');
      try {
        await getExternalWorkflowHandle(uploadWorkflowId(jobId)).signal(bytesWholeSignal, source);
      } catch (error) {
        log.info('the upload ended meanwhile', { jobId, error: String(error) });
      }
    });
  }

  #replace(jobId: string): void {
    this.#replaced.add(jobId);
    const known = this.#record.uploads.get(jobId);
    if (known !== undefined) known.replaced = true;
  }

  #begin(jobId: string): void {
    if (this.#closed !== undefined) this.#ended({ jobId, outcome: 'cancelled' });
    else if (this.#record.uploads.get(jobId)?.begun)
      void CancellationScope.nonCancellable(() => this.#watch(jobId));
    else this.#waiting.add(jobId);
  }

  /** Its workflow was started by a run of this dataset before this one. */
  async #watch(jobId: string): Promise<void> {
    this.#children.set(jobId, 'started');
    this.#ended(await reportOf(jobId, watchUpload({ jobId })));
  }

  /** Starts those that wait, each as soon as it may. */
  async #startInTurn(): Promise<void> {
    for (;;) {
      await condition(() => this.#next() !== undefined);
      const upload = this.#next();
      if (upload === undefined) continue;
      if (upload.order === undefined) await this.#recallOrders();
      else void this.#run(upload.jobId, upload.order);
    }
  }

  /** The first that may start now. */
  #next(): UploadState | undefined {
    if (!this.#open || this.#record.paused !== null || this.#running >= MOST_CHILDREN) return undefined;
    for (const jobId of this.#waiting) {
      const upload = this.#record.uploads.get(jobId);
      if (upload !== undefined && upload.status !== 'paused') return upload;
    }
    return undefined;
  }

  /** Orders that were not handed over, of those whose turn comes next. */
  async #recallOrders(): Promise<void> {
    const { uploads, uuid } = this.#record;
    const unknown = [...this.#waiting].filter((jobId) => uploads.get(jobId)?.order === undefined);
    const jobIds = unknown.slice(0, MOST_CHILDREN);
    const summary = `Look up what ${jobIds.length} uploads are to fetch`;
    for (const order of await recallOrders.executeWithOptions({ summary }, [{ uuid, jobIds }])) {
      const upload = uploads.get(order.jobId);
      // Its bytes may have come meanwhile, and with them the newest order.
      if (upload !== undefined) upload.order ??= order;
    }
    for (const jobId of jobIds) {
      if (uploads.get(jobId)?.order !== undefined) continue;
      const failure = noteFailure('internal', `The row of upload ${jobId} is gone.`);
      this.#ended({ jobId, outcome: 'failed', failure });
    }
  }

  /** Starts the child, and takes in how it ended. */
  async #run(jobId: string, order: UploadOrder): Promise<void> {
    this.#waiting.delete(jobId);
    this.#running += 1;
    try {
      this.#children.set(jobId, 'starting');
      const child = await this.#start(order);
      this.#children.set(jobId, 'started');
      const upload = this.#record.uploads.get(jobId);
      if (upload !== undefined) upload.begun = true;
      this.#ended(await reportOf(jobId, child === undefined ? watchUpload({ jobId }) : child.result()));
    } finally {
      this.#running -= 1;
    }
  }

  /** @returns nothing when it runs already, started by a run of this dataset before this one */
  async #start(order: UploadOrder): Promise<ChildWorkflowHandle<typeof upload> | undefined> {
    const { uuid, owner, sensor, team } = this.#input;
    try {
      return await startChild<typeof upload>(WORKFLOW_TYPES.upload, {
        workflowId: uploadWorkflowId(order.jobId),
        args: [{ uuid, owner, sensor, order, ...(team ? { team } : {}) }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        ...(order.priority === undefined ? {} : { priority: { priorityKey: order.priority } }),
        staticSummary: `Fetch ${sourceWords(order.source)}`,
        typedSearchAttributes: this.#searchAttributes(),
      });
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
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
    this.#waiting.delete(report.jobId);
    const upload = this.#record.uploads.get(report.jobId);
    if (upload === undefined || this.#record.isDelivered(report.jobId) || isFinal(upload.status)) return;
    const cause = { actor: 'upload', ...(report.failure ? { reason: report.failure.say } : {}) };
    if (report.delivery !== undefined) {
      upload.delivery = report.delivery;
      if (report.noted) upload.noted = true;
      this.#record.moveUpload(report.jobId, 'processing', cause);
    } else if (report.outcome === 'cancelled') {
      this.#record.moveUpload(report.jobId, 'cancelled', cause);
    } else {
      if (report.failure) upload.failure = report.failure;
      this.#record.moveUpload(report.jobId, 'failed', cause);
    }
  }
}

const aloneIn = ({ alone }: UploadOrder): Pick<UploadState, 'alone'> => (alone ? { alone } : {});

/** How an upload ended, from its result or from what it threw. */
async function reportOf(jobId: string, result: Promise<UploadReport>): Promise<UploadReport> {
  try {
    return await result;
  } catch (error) {
    const failure = noteOf(error);
    return failure.code === 'cancelled'
      ? { jobId, outcome: 'cancelled' }
      : { jobId, outcome: 'failed', failure };
  }
}
