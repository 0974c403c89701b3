// A job on its own: shows that it runs, does its work, shows how it ended. It changes no dataset.
import {
  CancellationScope,
  CancelledFailure,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { JobChange, JobOrder, VerifyOutput } from '../contracts/verification.js';
import { type FailureNote, noteFailure } from '../domain/failure.js';
import { JOB_TRANSITIONS, type JobStatus } from '../domain/job.js';
import { transition } from '../domain/transition.js';
import { beCancelled } from './cancellation.js';
import { closingFailure, noteOf } from './failures.js';
import { cancelSignal } from './messages.js';
import { showJob, verifyProduct } from './proxies.js';

/** Workflow `job`, id `job:<jobId>`. */
export async function job(order: JobOrder): Promise<VerifyOutput> {
  const root = CancellationScope.current();
  return await CancellationScope.nonCancellable(() => new JobRun(order, root).story());
}

/** The work of each type of job; damage that was found is its result. */
const WORK: Readonly<Record<JobOrder['type'], (order: JobOrder) => Promise<VerifyOutput>>> = {
  verify: (order) =>
    verifyProduct.executeWithOptions({ summary: 'Prove the published product again' }, [order]),
};

class JobRun {
  readonly #order: JobOrder;
  readonly #root: CancellationScope;
  readonly #scope = new CancellationScope();
  #status: JobStatus = 'pending';
  #revision = 0;
  #cancelledBy: string | undefined;

  constructor(order: JobOrder, root: CancellationScope) {
    this.#order = order;
    this.#root = root;
    setHandler(cancelSignal, (command) => this.#cancel(command?.by ?? 'Temporal Web'));
    root.cancelRequested.catch(() => this.#cancel('Temporal Web'));
  }

  async story(): Promise<VerifyOutput> {
    await this.#show('running', { actor: this.#order.by, reason: 'asked for' });
    try {
      const result = await this.#scope.run(() => WORK[this.#order.type](this.#order));
      if (result.outcome === 'damaged') return await this.#damaged(result);
      await this.#show('completed', { actor: 'job', reason: result.say, result });
      setCurrentDetails(result.say);
      return result;
    } catch (error) {
      if (this.#status !== 'running') throw error;
      return await this.#failed(error);
    }
  }

  async #damaged(result: VerifyOutput): Promise<never> {
    const note = noteFailure('product_damaged', result.say);
    await this.#show('failed', { actor: 'job', reason: result.say, result, failure: note });
    throw this.#closing(note);
  }

  async #failed(error: unknown): Promise<never> {
    if (this.#cancelledBy !== undefined && isCancellation(error)) {
      const reason = `cancelled by ${this.#cancelledBy}`;
      await this.#show('cancelled', { actor: this.#cancelledBy, reason });
      await beCancelled(this.#root);
      throw new CancelledFailure(`The job was ${reason}.`);
    }
    const note = noteOf(error);
    await this.#show('failed', { actor: 'job', reason: note.say, failure: note });
    throw this.#closing(note);
  }

  #closing(note: FailureNote): Error {
    setCurrentDetails(`**${note.code}**: ${note.say}\n\n${note.remedy}`);
    return closingFailure(note, 'validate');
  }

  #cancel(by: string): void {
    this.#cancelledBy ??= by;
    this.#scope.cancel();
  }

  async #show(
    to: JobStatus,
    cause: Pick<JobChange, 'actor' | 'reason'> & Partial<Pick<JobChange, 'result' | 'failure'>>,
  ): Promise<void> {
    const from = this.#status;
    this.#status = transition(JOB_TRANSITIONS, from, to);
    this.#revision += 1;
    const change = { order: this.#order, revision: this.#revision, from, to, at: Date.now() };
    await showJob.executeWithOptions({ summary: `Show "${to}" in the database` }, [
      { ...change, result: null, failure: null, ...cause },
    ]);
  }
}
