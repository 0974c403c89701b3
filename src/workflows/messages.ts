// Names and types of every message a workflow of ours understands. The API imports this file, and nothing else here.
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Command, DatasetView, UploadOrder } from '../contracts/workflow.js';
import type { ReceivedSource } from '../domain/source.js';
import { TURN } from '../domain/turn.js';

/** A delivery; starts the dataset's workflow when it does not run. Deduplicated by job id. */
export const addUploadSignal = defineSignal<[UploadOrder]>('addUpload');
/** Nothing more is coming. */
export const sealSignal = defineSignal<[Command?]>('seal');
export const pauseSignal = defineSignal<[Command?]>('pause');
export const resumeSignal = defineSignal<[Command?]>('resume');
export const cancelSignal = defineSignal<[Command?]>('cancel');

/** The same commands as Updates: the validator answers at once whether the present state allows it. */
export const pauseUpdate = defineUpdate<DatasetView, [Command]>('pauseNow');
export const resumeUpdate = defineUpdate<DatasetView, [Command]>('resumeNow');
export const cancelUpdate = defineUpdate<DatasetView, [Command]>('cancelNow');

export const stateQuery = defineQuery<DatasetView>('state');

/** To an upload that waits for a client's bytes: all of them came, or none will. */
export const bytesWholeSignal = defineSignal<[ReceivedSource]>('bytesWhole');

/** To an upload whose owner had too many at once: it is its turn. */
export const turnSignal = defineSignal(TURN);

/** From an upload to its dataset; how it ended, the upload's result tells. */
export const uploadPausedSignal =
  defineSignal<[{ jobId: string; paused: boolean; by: string }]>('uploadPaused');

/** Workflow type names, for starting them by name. */
export const WORKFLOW_TYPES = { dataset: 'dataset', upload: 'upload', job: 'job' } as const;
