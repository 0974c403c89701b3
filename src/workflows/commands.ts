// Pause, resume, cancel: as signals (Temporal Web) and as Updates that answer at once (API). One rule for both.
import { ApplicationFailure, type CancellationScope, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Command, DatasetView } from '../contracts/workflow.js';
import { isSettled } from '../domain/dataset.js';
import {
  cancelSignal,
  cancelUpdate,
  pauseSignal,
  pauseUpdate,
  resumeSignal,
  resumeUpdate,
  sealSignal,
  stateQuery,
} from './messages.js';
import { quietly } from './quietly.js';
import type { DatasetRecord } from './record.js';

type Verb = 'pause' | 'resume' | 'cancel';

/** A signal sent in Temporal Web may carry nothing. */
const BY_HAND: Command = { by: 'Temporal Web' };

/** What the story does when a command was accepted. */
export interface CommandEffects {
  pause(by: string, jobId?: string): void;
  resume(by: string, jobId?: string): void;
  cancel(by: string, reason: string | undefined, jobId?: string): void;
  seal(): void;
  view(): DatasetView;
}

export function listen(record: DatasetRecord, effects: CommandEffects, root: CancellationScope): void {
  const act: Readonly<Record<Verb, (command: Command) => void>> = {
    pause: ({ by, jobId }) => effects.pause(by, jobId),
    resume: ({ by, jobId }) => effects.resume(by, jobId),
    cancel: ({ by, reason, jobId }) => effects.cancel(by, reason, jobId),
  };
  const signals = { pause: pauseSignal, resume: resumeSignal, cancel: cancelSignal };
  const updates = { pause: pauseUpdate, resume: resumeUpdate, cancel: cancelUpdate };
  for (const verb of ['pause', 'resume', 'cancel'] as const) {
    setHandler(signals[verb], (given) =>
      quietly(() => {
        const command = given ?? BY_HAND;
        if (isForThisRun(command) && refusal(record, verb, command) === undefined) act[verb](command);
      }),
    );
    setHandler(
      updates[verb],
      (command) => {
        act[verb](command);
        return effects.view();
      },
      {
        validator: (command) => {
          const why = isForThisRun(command)
            ? refusal(record, verb, command)
            : 'the run changed meanwhile; ask again';
          if (why !== undefined)
            throw ApplicationFailure.create({ type: 'conflict', message: why, nonRetryable: true });
        },
      },
    );
  }
  setHandler(sealSignal, (given) =>
    quietly(() => {
      if (isForThisRun(given ?? BY_HAND)) effects.seal();
    }),
  );
  setHandler(stateQuery, () => effects.view());
  root.cancelRequested.catch(() => effects.cancel('Temporal Web', 'cancellation requested'));
}

/** A Reset applies old signals again; those carry the run they were meant for. */
const isForThisRun = (command: Command): boolean =>
  command.runId === undefined || command.runId === workflowInfo().runId;

/** Why the present state does not allow the command, in words; undefined when it does. */
function refusal(record: DatasetRecord, verb: Verb, command: Command): string | undefined {
  const open = openVerbs(record, command.jobId);
  if (open.includes(verb)) return undefined;
  const what =
    command.jobId === undefined ? `the dataset is "${record.status}"` : uploadWords(record, command.jobId);
  return `cannot ${verb}: ${what}; now open: ${open.join(', ') || 'nothing'}`;
}

const uploadWords = (record: DatasetRecord, jobId: string): string => {
  const upload = record.uploads.get(jobId);
  return upload === undefined ? 'the upload is not part of this run' : `the upload is "${upload.status}"`;
};

function openVerbs(record: DatasetRecord, jobId?: string): readonly Verb[] {
  if (isSettled(record.status)) return [];
  if (jobId === undefined) return record.paused === null ? ['pause', 'cancel'] : ['resume', 'cancel'];
  const upload = record.uploads.get(jobId);
  switch (upload?.status) {
    case undefined:
    case 'completed':
    case 'failed':
    case 'cancelled':
      return [];
    case 'paused':
      return ['resume', 'cancel'];
    case 'processing':
    case 'verifying':
      // Its bytes are in the dataset already: cancelling it means cancelling the dataset, if it is alone.
      return record.uploads.size === 1 ? ['cancel'] : [];
    case 'queued':
    case 'initializing':
    case 'uploading':
      return ['pause', 'cancel'];
  }
}
