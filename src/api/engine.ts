// What the API asks of Temporal: start calls, signals and Updates. Never a status in the database.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { JobOrder } from '../contracts/verification.js';
import type { Command, DatasetInput, DatasetView, UploadOrder } from '../contracts/workflow.js';
import { Fault } from '../domain/fault.js';
import { datasetWorkflowId, jobWorkflowId, QUEUES, type Queue } from '../domain/ids.js';
import { NORMAL_PRIORITY } from '../domain/priority.js';
import {
  addUploadSignal,
  cancelSignal,
  cancelUpdate,
  pauseSignal,
  pauseUpdate,
  resumeSignal,
  resumeUpdate,
  sealSignal,
  WORKFLOW_TYPES,
} from '../workflows/messages.js';
import { onEngine } from './engine-fault.js';
import { datasetStart, jobStart } from './engine-start.js';
import { ensureSearchAttributes } from './temporal.js';

export type Verb = 'pause' | 'resume' | 'cancel';

/** done: the workflow took it; sent: it takes it when a worker runs; closed: nothing runs for this dataset. */
export type CommandResult =
  | { readonly result: 'done'; readonly view: DatasetView }
  | { readonly result: 'sent' }
  | { readonly result: 'closed' };

export type QueuesServed = Readonly<Record<Queue, boolean>>;

export interface Engine {
  /** Gives a delivery to the dataset's workflow, which starts if it does not run. Safe to repeat. */
  deliver(input: DatasetInput, order: UploadOrder): Promise<void>;
  /** @throws Fault conflict when the present state refuses it, in the workflow's words */
  command(uuid: string, verb: Verb, command: Command): Promise<CommandResult>;
  /** Cancels a dataset that no run knows yet: one starts for it and ends so. */
  cancelUnbegun(input: DatasetInput, command: Command): Promise<void>;
  /** Returns false when nothing runs for this dataset. */
  seal(uuid: string, command: Command): Promise<boolean>;
  /** A new run of a dataset whose last one failed or ended. @throws Fault conflict while one runs */
  startAgain(input: DatasetInput): Promise<{ runId: string }>;
  /** Starts a job of its own. Safe to repeat. */
  startJob(order: JobOrder): Promise<void>;
  /** Returns false when it does not run. */
  cancelJob(jobId: string, command: Command): Promise<boolean>;
  /** The newest run, if Temporal knows one. */
  describe(uuid: string): Promise<{ runId: string; status: string } | undefined>;
  /** For which queues a worker asked for work in the last minute; none when Temporal does not answer. */
  polledQueues(): Promise<QueuesServed>;
  /** Whether Temporal answers. */
  reachable(): Promise<boolean>;
}

const CALL_MS = 5_000;
const CLOSING_MS = 150;
/** A waiting poll of a worker comes back within a minute. */
export const POLLER_AGE_MS = 70_000;
const WORKFLOW_TASKS = 1;
const ACTIVITY_TASKS = 2;
const NO_QUEUES: QueuesServed = { control: false, transfer: false, compute: false };

export function createEngine(client: Client): Engine {
  return new TemporalEngine(client);
}

class TemporalEngine implements Engine {
  readonly #client: Client;
  readonly #polled: () => Promise<QueuesServed>;

  constructor(client: Client) {
    this.#client = client;
    this.#polled = rarely(2_000, NO_QUEUES, () => this.#within(2_000, () => this.#askPollers()));
  }

  async deliver(input: DatasetInput, order: UploadOrder): Promise<void> {
    await this.#registered(() =>
      this.#client.workflow.signalWithStart(WORKFLOW_TYPES.dataset, {
        ...datasetStart({ priority: order.priority ?? NORMAL_PRIORITY, ...input }),
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        signal: addUploadSignal,
        signalArgs: [order],
      }),
    );
  }

  async command(uuid: string, verb: Verb, command: Command): Promise<CommandResult> {
    const run = await this.describe(uuid);
    if (run === undefined || run.status !== 'RUNNING') return { result: 'closed' };
    return await this.#tell(uuid, verb, { ...command, runId: command.runId ?? run.runId });
  }

  async cancelUnbegun(input: DatasetInput, command: Command): Promise<void> {
    await this.#registered(() =>
      this.#client.workflow.signalWithStart(WORKFLOW_TYPES.dataset, {
        ...datasetStart(input),
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        signal: cancelSignal,
        signalArgs: [command],
      }),
    );
  }

  async seal(uuid: string, command: Command): Promise<boolean> {
    try {
      await this.#within(CALL_MS, () => this.#handle(uuid).signal(sealSignal, command));
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  async startAgain(input: DatasetInput, patience = 2): Promise<{ runId: string }> {
    try {
      const { firstExecutionRunId: runId } = await this.#registered(() =>
        this.#client.workflow.start(WORKFLOW_TYPES.dataset, {
          ...datasetStart(input),
          // The run of a published dataset that lacks a target ended well.
          workflowIdReusePolicy:
            input.reason === 'retry' && input.sendAgain === undefined
              ? 'ALLOW_DUPLICATE_FAILED_ONLY'
              : 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
        }),
      );
      // Nothing more is expected of a run that repeats: it need not wait for quiet.
      // Should this fail, the quiet time does the same later; the run has started.
      await this.seal(input.uuid, { by: input.by, runId }).catch(() => false);
      return { runId };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (patience > 0) {
        // A row shows the end of its run a moment before the run closes.
        await sleep(CLOSING_MS);
        return await this.startAgain(input, patience - 1);
      }
      throw new Fault(
        'conflict',
        `cannot ${input.reason}: the dataset's last run did not fail, or one is running`,
      );
    }
  }

  async startJob(order: JobOrder): Promise<void> {
    await this.#registered(() =>
      this.#client.workflow.start(WORKFLOW_TYPES.job, {
        ...jobStart(order),
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      }),
    );
  }

  async cancelJob(jobId: string, command: Command): Promise<boolean> {
    try {
      const handle = this.#client.workflow.getHandle(jobWorkflowId(jobId));
      await this.#within(CALL_MS, () => handle.signal(cancelSignal, command));
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  async describe(uuid: string): Promise<{ runId: string; status: string } | undefined> {
    try {
      const { runId, status } = await this.#within(CALL_MS, () => this.#handle(uuid).describe());
      return { runId, status: status.name };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async polledQueues(): Promise<QueuesServed> {
    return await this.#polled();
  }

  async reachable(): Promise<boolean> {
    try {
      await this.#within(2_000, () => this.#client.workflowService.getSystemInfo({}));
      return true;
    } catch {
      return false;
    }
  }

  async #tell(uuid: string, verb: Verb, command: Command): Promise<CommandResult> {
    const { update, signal } = VERBS[verb];
    const handle = this.#handle(uuid);
    try {
      const view = await this.#within(CALL_MS, () => handle.executeUpdate(update, { args: [command] }));
      return { result: 'done', view };
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) throw refused(error);
      if (error instanceof WorkflowNotFoundError) return { result: 'closed' };
      if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
    }
    // No worker took the update: as a signal the command is durable and waits for one.
    await this.#within(CALL_MS, () => handle.signal(signal, command));
    return { result: 'sent' };
  }

  async #askPollers(): Promise<QueuesServed> {
    const [control, transfer, compute] = await Promise.all([
      this.#hasPoller(QUEUES.control, WORKFLOW_TASKS),
      this.#hasPoller(QUEUES.transfer, ACTIVITY_TASKS),
      this.#hasPoller(QUEUES.compute, ACTIVITY_TASKS),
    ]);
    return { control, transfer, compute };
  }

  async #hasPoller(name: Queue, taskQueueType: number): Promise<boolean> {
    const { pollers } = await this.#client.workflowService.describeTaskQueue({
      namespace: this.#client.options.namespace,
      taskQueue: { name },
      taskQueueType,
    });
    const oldest = Date.now() - POLLER_AGE_MS;
    return (pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > oldest);
  }

  #handle(uuid: string) {
    return this.#client.workflow.getHandle(datasetWorkflowId(uuid));
  }

  #within<T>(ms: number, call: () => Promise<T>): Promise<T> {
    return onEngine(() => this.#client.withDeadline(Date.now() + ms, call));
  }

  /** A start call; where the server does not know our search attributes, registers them and tries once more. */
  async #registered<T>(start: () => Promise<T>): Promise<T> {
    try {
      return await this.#within(CALL_MS, start);
    } catch (error) {
      if (!/search attribute/i.test(textOf(error))) throw error;
      await ensureSearchAttributes(this.#client);
      return await this.#within(CALL_MS, start);
    }
  }
}

const VERBS = {
  pause: { update: pauseUpdate, signal: pauseSignal },
  resume: { update: resumeUpdate, signal: resumeSignal },
  cancel: { update: cancelUpdate, signal: cancelSignal },
} as const;

function refused(error: WorkflowUpdateFailedError): Fault {
  return new Fault('conflict', error.cause?.message ?? error.message);
}

const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.message} ${error.cause === undefined ? '' : textOf(error.cause)}` : '';

/** Asks at most once in `ms`; `unknown` when the question cannot be answered. */
function rarely<T>(ms: number, unknown: T, ask: () => Promise<T>): () => Promise<T> {
  let at = 0;
  let last: Promise<T> | undefined;
  return () => {
    if (last === undefined || Date.now() - at > ms) {
      at = Date.now();
      last = ask().catch(() => unknown);
    }
    return last;
  };
}
