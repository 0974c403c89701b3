// The life of a dataset, as it is told to a person: bring everything in, make a product of it, show it, close.
import {
  allHandlersFinished,
  CancellationScope,
  CancelledFailure,
  ContinueAsNew,
  condition,
  continueAsNew,
  log,
  patched,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { DatasetInput, DatasetView, ProductSummary } from '../contracts/workflow.js';
import { ERROR_STATUS_OF_STAGE } from '../domain/dataset.js';
import { type FailureNote, noteFailure } from '../domain/failure.js';
import { STAGE_WORDS } from '../domain/stage.js';
import { publishedWords } from '../domain/target.js';
import { beCancelled } from './cancellation.js';
import { listen } from './commands.js';
import { discardCancelled } from './discard.js';
import { closingFailure, StageFailed } from './failures.js';
import { Intake } from './intake.js';
import { mergeSingle, noteFiles } from './lists.js';
import { Mirror } from './mirror.js';
import { makeProduct, StageRunner } from './pass.js';
import { discardDataset, discardUpload, recallDataset } from './proxies.js';
import { DatasetRecord } from './record.js';
import { Targets } from './targets.js';
import { viewOf } from './view.js';

export interface DatasetResult {
  readonly uuid: string;
  readonly status: 'done' | 'unchanged';
  readonly product: ProductSummary | null;
}

/** A history of this many events is handed over to a new run: whichever worker takes it over has little to replay. */
const LONG_HISTORY = 1_000;
const isLong = (): boolean =>
  workflowInfo().historyLength > LONG_HISTORY || workflowInfo().continueAsNewSuggested;

/** Workflow `dataset`, id `dataset:<uuid>`: one run from the first delivery to the published product. */
export async function dataset(input: DatasetInput): Promise<DatasetResult> {
  const run = new DatasetRun(input, CancellationScope.current());
  // The story decides itself what a cancellation means; nothing of it is cut off from outside.
  return await CancellationScope.nonCancellable(() => run.story());
}

class DatasetRun {
  readonly #input: DatasetInput;
  readonly #record: DatasetRecord;
  readonly #mirror: Mirror;
  readonly #intake: Intake;
  readonly #stages: StageRunner;
  readonly #targets: Targets;
  readonly #root: CancellationScope;
  #seen = 0;
  #cancelled: { by: string; reason: string | undefined } | undefined;

  constructor(input: DatasetInput, root: CancellationScope) {
    this.#input = input;
    this.#root = root;
    this.#record = new DatasetRecord(input);
    this.#mirror = new Mirror(this.#record);
    this.#intake = new Intake(input, this.#record);
    this.#stages = new StageRunner(input, this.#record, () => this.#cancelled !== undefined);
    this.#targets = new Targets(input, this.#record, this.#stages);
    listen(this.#record, this.#effects(), root);
  }

  async story(): Promise<DatasetResult> {
    await this.#recall();
    if (!(await this.#hasSomethingToDo())) return this.#unchanged();
    if (this.#record.status === 'cancelled') return await this.#sendBack();
    this.#intake.open();
    for (;;) {
      try {
        if (this.#targets.sendsAgain) await this.#targets.sendAgain();
        else {
          await this.#bringIn();
          await this.#processAll();
        }
        this.#finish();
        await this.#mirror.flush('at once');
        if (!this.#hasNews())
          return { uuid: this.#record.uuid, status: 'done', product: this.#record.product };
      } catch (error) {
        if (error instanceof ContinueAsNew) throw error;
        const failure = await this.#settle(error);
        const ranIn = await this.#mirror.flush();
        if (this.#cancelled !== undefined) throw failure;
        // The flush is recorded by the run that wrote it. If that was not this run, somebody reset the workflow to
        // after the failure, and means: try again. News that came while it failed are taken up likewise.
        const wasReset = ranIn !== workflowInfo().runId;
        if (wasReset) this.#fetchFailedAgain();
        if (!wasReset && !this.#hasNews()) throw failure;
      }
    }
  }

  /** A run into a dataset that exists asks what is there; then it takes up what it was started with. */
  async #recall(): Promise<void> {
    const { uuid, by, fresh, carried, uploads = [], again = [] } = this.#input;
    if (!fresh && carried === undefined) {
      const known = await recallDataset({ uuid });
      this.#record.status = known.status;
      this.#record.published = known.published === true;
      for (const { jobId, status, delivery } of known.delivered) {
        if (!this.#record.uploads.has(jobId)) this.#record.uploads.set(jobId, { jobId, status, delivery });
      }
      if (known.merged) this.#record.takeMerged(known.merged);
    }
    const isMissing = (jobId: string): boolean => !this.#record.isDelivered(jobId);
    for (const order of uploads) if (isMissing(order.jobId)) this.#intake.takeAgain(order.jobId, by, order);
    for (const jobId of again) if (isMissing(jobId)) this.#intake.takeAgain(jobId, by);
  }

  /**
   * A run that nobody gave anything (started by hand in Temporal Web, say) ends quietly and shows nothing: it must
   * not speak for a dataset whose real run may have published it.
   */
  async #hasSomethingToDo(): Promise<boolean> {
    const known = (): boolean =>
      this.#record.uploads.size > 0 || this.#targets.sendsAgain || this.#cancelled !== undefined;
    return known() || (await condition(known, this.#input.quietMs));
  }

  #unchanged(): DatasetResult {
    return { uuid: this.#record.uuid, status: 'unchanged', product: null };
  }

  /** A cancelled dataset takes nothing more: what was still on its way ends as cancelled too. */
  async #sendBack(): Promise<DatasetResult> {
    this.#intake.close('dataset');
    const late = this.#record.open();
    await this.#intake.tell('cancel', 'dataset');
    for (const { jobId, order } of late)
      await discardUpload(discardCancelled(order ?? { jobId }, this.#input.uuid));
    await this.#mirror.flush();
    return this.#unchanged();
  }

  /** Until no upload is open and nothing more is expected. */
  async #bringIn(): Promise<void> {
    const { quietMs } = this.#input;
    if (this.#record.open().length > 0) this.#stages.show('fetch');
    const isCalm = (): boolean => this.#record.open().length === 0 || this.#cancelled !== undefined;
    while (this.#cancelled === undefined) {
      await condition(() => isCalm() || isLong());
      if (isLong() && this.#cancelled === undefined) await this.#handOver();
      if (this.#record.sealed) break;
      const seen = this.#intake.arrivals;
      const hasNews = () =>
        this.#record.sealed || this.#intake.arrivals > seen || this.#cancelled !== undefined;
      if (!(await condition(hasNews, quietMs))) break;
    }
    this.#throwIfCancelled();
    this.#seen = this.#intake.arrivals;
    const failed = this.#record.failedUpload();
    if (failed !== undefined) throw new StageFailed('fetch', failed);
    if (this.#record.delivered().length === 0)
      this.#cancelled = { by: 'upload', reason: 'every upload was cancelled' };
    this.#throwIfCancelled();
  }

  /** One pass over everything delivered; another one when files arrived meanwhile. */
  async #processAll(): Promise<void> {
    for (;;) {
      this.#seen = this.#intake.arrivals;
      const inPass = this.#record.delivered();
      const deliveries = this.#record.deliveries();
      const actor = this.#input.by;
      // Without conversion no stage shows in the status, so a retry leaves its error state here.
      if (!this.#input.convert && this.#record.status !== 'done') this.#record.enter('uploading', { actor });
      for (const { jobId, status } of inPass) {
        if (status === 'failed') this.#record.moveUpload(jobId, 'processing', { actor, reason: 'retry' });
      }
      this.#record.failure = null;
      // As a rule their fetch has done it: it is an activity less.
      const isNoted = inPass.every(({ noted }) => noted);
      const noting = !isNoted && patched('digests') ? noteFiles(this.#record.uuid) : undefined;
      this.#record.product = await makeProduct(this.#stages, deliveries);
      await noting;
      for (const { jobId } of inPass) this.#record.moveUpload(jobId, 'completed', { actor: 'dataset' });
      if (this.#targets.wanted && !this.#hasNews()) await this.#targets.send();
      if (!this.#hasNews()) return;
      this.#finish();
      await this.#bringIn();
    }
  }

  #finish(): void {
    this.#record.stage = null;
    const reason = publishedWords(this.#record.targets);
    const isDone = this.#record.enter('done', { actor: 'dataset', reason });
    this.#record.published = true;
    if (!isDone)
      log.error('published, but no row of the table leads to done', { status: this.#record.status });
    setCurrentDetails(reason === 'published' ? 'Published.' : `**${reason}**.`);
  }

  /** Ends what is open, words the failure, and shows it. */
  async #settle(error: unknown): Promise<Error> {
    if (this.#cancelled !== undefined) return await this.#settleCancelled(this.#cancelled);
    const { stage, note } =
      error instanceof StageFailed
        ? error
        : new StageFailed(this.#record.stage ?? 'fetch', noteFailure('internal', String(error)));
    await discardDataset({ uuid: this.#record.uuid, keepProducts: note.blame === 'system' });
    // It was cancelled while it settled: that was answered with yes.
    if (this.#cancelled !== undefined) return await this.#settleCancelled(this.#cancelled);
    this.#record.failure = note;
    this.#record.stage = stage;
    const cause = { actor: 'dataset', reason: note.say };
    this.#record.enter(ERROR_STATUS_OF_STAGE[stage], cause);
    if (note.blame !== 'system') this.#record.enter('failed', cause);
    this.#failUploads(note);
    // Also when nothing moved: the write tells which run it was made in.
    this.#record.touch();
    setCurrentDetails(`**${note.code}** while ${STAGE_WORDS[stage]}: ${note.say}\n\n${note.remedy}`);
    return closingFailure(note, stage);
  }

  async #settleCancelled({ by, reason }: { by: string; reason: string | undefined }): Promise<Error> {
    this.#intake.close(by);
    await this.#intake.tell('cancel', by);
    await condition(() => this.#record.open().length === 0);
    await discardDataset({ uuid: this.#record.uuid, keepProducts: false });
    const cause = { actor: by, ...(reason ? { reason } : {}) };
    for (const { jobId, status } of this.#record.uploads.values()) {
      if (status === 'processing') this.#record.moveUpload(jobId, 'cancelled', cause);
    }
    // What was published before stays published: only the work on a newer product is cancelled (ADR 13).
    const { published } = this.#record;
    this.#record.failure = published ? null : noteFailure('cancelled', `It was cancelled by ${by}.`);
    this.#record.stage = null;
    this.#record.enter(published ? 'done' : 'cancelled', cause);
    await beCancelled(this.#root);
    return new CancelledFailure(`Cancelled by ${by}.`);
  }

  /** After a Reset to behind a failed upload, trying again means fetching it again. */
  #fetchFailedAgain(): void {
    for (const { jobId, status, delivery, replaced } of [...this.#record.uploads.values()]) {
      if (status === 'failed' && !delivery && !replaced) this.#intake.takeAgain(jobId, 'Reset');
    }
  }

  #failUploads(note: FailureNote): void {
    for (const upload of this.#record.uploads.values()) {
      if (upload.status !== 'processing') continue;
      upload.failure = note;
      this.#record.moveUpload(upload.jobId, 'failed', { actor: 'dataset', reason: note.say });
    }
  }

  /** Goes on in a new run before the history grows too long; uploads under way report to whichever run is current. */
  async #handOver(): Promise<void> {
    // While uploads kept starting and ending, the mirror would never be done.
    if (patched('hold')) this.#intake.hold();
    await mergeSingle(this.#record);
    await this.#mirror.flush();
    await condition(allHandlersFinished);
    // Somebody was told meanwhile that it is cancelled, which a new run would not know.
    if (this.#cancelled !== undefined) return;
    const { uploads: _taken, again: _takenToo, ...input } = this.#input;
    await continueAsNew<typeof dataset>({ ...input, carried: this.#record.carry() });
  }

  /** Something came that neither a pass nor a failure has taken into account. */
  #hasNews(): boolean {
    return this.#intake.arrivals > this.#seen || this.#record.open().length > 0;
  }

  #throwIfCancelled(): void {
    if (this.#cancelled !== undefined) throw new CancelledFailure(`Cancelled by ${this.#cancelled.by}.`);
  }

  #effects() {
    return {
      pause: (by: string, jobId?: string): void => {
        if (jobId === undefined) this.#record.setPaused(by);
        void this.#intake.tell('pause', by, jobId);
      },
      resume: (by: string, jobId?: string): void => {
        if (jobId === undefined) this.#record.setPaused(null);
        void this.#intake.tell('resume', by, jobId);
      },
      cancel: (by: string, reason: string | undefined, jobId?: string): void => {
        if (jobId !== undefined && this.#record.uploads.size > 1) {
          void this.#intake.tell('cancel', by, jobId);
          return;
        }
        this.#cancelled ??= { by, reason };
        this.#stages.interrupt();
      },
      seal: (): void => {
        this.#record.sealed = true;
      },
      view: (): DatasetView => viewOf(this.#record, this.#stages.running),
    };
  }
}
