// What the API asks of Temporal: start calls, signals and Updates. Never a status in the database.
import {
  type Client,
  isGrpcDeadlineError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Command, DatasetInput, DatasetView, UploadOrder } from '../contracts/workflow.js';
import { Fault } from '../domain/fault.js';
import { datasetWorkflowId, QUEUES } from '../domain/ids.js';
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
import { datasetStart } from './engine-start.js';
import { ensureSearchAttributes } from './temporal.js';

export type Verb = 'pause' | 'resume' | 'cancel';

/** done: the workflow took it; sent: it takes it when a worker runs; closed: nothing runs for this dataset. */
export type CommandResult =
  | { readonly result: 'done'; readonly view: DatasetView }
  | { readonly result: 'sent' }
  | { readonly result: 'closed' };

export interface Engine {
  /** Gives a delivery to the dataset's workflow, which starts if it does not run. Safe to repeat. */
  deliver(input: DatasetInput, order: UploadOrder): Promise<void>;
  /** @throws Fault conflict when the present state refuses it, in the workflow's words */
  command(uuid: string, verb: Verb, command: Command): Promise<CommandResult>;
  /** Returns false when nothing runs for this dataset. */
  seal(uuid: string, command: Command): Promise<boolean>;
  /** A new run of a dataset whose last one failed or ended. @throws Fault conflict while one runs */
  startAgain(input: DatasetInput): Promise<{ runId: string }>;
  /** The newest run, if Temporal knows one. */
  describe(uuid: string): Promise<{ runId: string; status: string } | undefined>;
  /** Whether a worker asked for work in the last minute. */
  workerAlive(): Promise<boolean>;
  /** Whether Temporal answers. */
  reachable(): Promise<boolean>;
}

const CALL_MS = 5_000;
/** A waiting poll of a worker comes back within a minute. */
const POLLER_AGE_MS = 70_000;

export function createEngine(client: Client): Engine {
  const within = <T>(ms: number, call: () => Promise<T>): Promise<T> =>
    onEngine(() => client.withDeadline(Date.now() + ms, call));
  const registered = onceRegistered(client, within);

  return {
    async deliver(input, order) {
      await registered(() =>
        client.workflow.signalWithStart(WORKFLOW_TYPES.dataset, {
          ...datasetStart(input),
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          signal: addUploadSignal,
          signalArgs: [order],
        }),
      );
    },

    async command(uuid, verb, command) {
      const run = await describeRun(uuid);
      if (run === undefined || run.status !== 'RUNNING') return { result: 'closed' };
      return await tell(uuid, verb, { ...command, runId: command.runId ?? run.runId });
    },

    async seal(uuid, command) {
      try {
        await within(CALL_MS, () =>
          client.workflow.getHandle(datasetWorkflowId(uuid)).signal(sealSignal, command),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    async startAgain(input) {
      try {
        const handle = await registered(() =>
          client.workflow.start(WORKFLOW_TYPES.dataset, {
            ...datasetStart(input),
            workflowIdReusePolicy:
              input.reason === 'retry' ? 'ALLOW_DUPLICATE_FAILED_ONLY' : 'ALLOW_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
          }),
        );
        // Nothing more is expected of a run that repeats: it need not wait for quiet.
        await within(CALL_MS, () =>
          handle.signal(sealSignal, { by: input.by, runId: handle.firstExecutionRunId }),
        );
        return { runId: handle.firstExecutionRunId };
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        throw new Fault(
          'conflict',
          `cannot ${input.reason}: the dataset's last run did not fail, or one is running`,
        );
      }
    },

    describe: (uuid) => describeRun(uuid),
    workerAlive: rarely(2_000, () => within(2_000, hasPoller)),
    async reachable() {
      try {
        await within(2_000, () => client.workflowService.getSystemInfo({}));
        return true;
      } catch {
        return false;
      }
    },
  };

  async function tell(uuid: string, verb: Verb, command: Command): Promise<CommandResult> {
    const handle = client.workflow.getHandle(datasetWorkflowId(uuid));
    const { update, signal } = VERBS[verb];
    try {
      return {
        result: 'done',
        view: await within(CALL_MS, () => handle.executeUpdate(update, { args: [command] })),
      };
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) throw refused(error);
      if (error instanceof WorkflowNotFoundError) return { result: 'closed' };
      if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error)))
        throw error;
    }
    // No worker took the update: as a signal the command is durable and waits for one.
    await within(CALL_MS, () => handle.signal(signal, command));
    return { result: 'sent' };
  }

  async function describeRun(uuid: string): Promise<{ runId: string; status: string } | undefined> {
    try {
      const handle = client.workflow.getHandle(datasetWorkflowId(uuid));
      const { runId, status } = await within(CALL_MS, () => handle.describe());
      return { runId, status: status.name };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async function hasPoller(): Promise<boolean> {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: QUEUES.control },
      taskQueueType: 1,
    });
    const oldest = Date.now() - POLLER_AGE_MS;
    return (pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > oldest);
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

/** Runs a start call; where the server does not know our search attributes, registers them and tries once more. */
function onceRegistered(client: Client, within: <T>(ms: number, call: () => Promise<T>) => Promise<T>) {
  return async <T>(start: () => Promise<T>): Promise<T> => {
    try {
      return await within(CALL_MS, start);
    } catch (error) {
      if (!/search attribute/i.test(textOf(error))) throw error;
      await ensureSearchAttributes(client);
      return await within(CALL_MS, start);
    }
  };
}

const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.message} ${error.cause === undefined ? '' : textOf(error.cause)}` : '';

/** Asks at most once in `ms`; false when the question cannot be answered. */
function rarely(ms: number, ask: () => Promise<boolean>): () => Promise<boolean> {
  let at = 0;
  let last: Promise<boolean> = Promise.resolve(false);
  return () => {
    if (Date.now() - at > ms) {
      at = Date.now();
      last = ask().catch(() => false);
    }
    return last;
  };
}
