// Commands on datasets and uploads: asked of the workflow; what it does not run, the row answers for.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import type { CommandAnswer, CommandBody } from '../contracts/http.js';
import type { UploadOrder } from '../contracts/workflow.js';
import { Fault } from '../domain/fault.js';
import { isFinal } from '../domain/upload.js';
import { findDataset } from '../store/datasets.js';
import { orderOf, uploadsOfDataset } from '../store/jobs.js';
import type { ApiDeps } from './deps.js';
import type { Verb } from './engine.js';
import { NO_WORKER } from './intake.js';
import {
  type CommandName,
  openForDataset,
  openForUpload,
  refuseDataset,
  refuseUpload,
} from './open-commands.js';
import { datasetInput } from './records.js';

export interface CommandOutcome {
  readonly status: 200 | 202;
  readonly answer: CommandAnswer;
}

/** @throws Fault conflict, engine_unavailable */
export async function commandDataset(
  deps: ApiDeps,
  row: DatasetDocument,
  command: CommandName,
  body: CommandBody,
): Promise<CommandOutcome> {
  const by = body.by ?? row.user_email ?? row.user;
  switch (command) {
    case 'pause':
    case 'resume':
    case 'cancel':
      return await tell(deps, row.uuid, command, { ...body, by }, () => refuseDataset(command, row));
    case 'seal':
      if (!(await deps.engine.seal(row.uuid, { by }))) throw refuseDataset(command, row);
      return await accepted(deps);
    case 'retry':
    case 'convert':
      if (!openForDataset(row.status, false).includes(command)) throw refuseDataset(command, row);
      return await again(deps, row, command, by);
  }
}

/** @throws Fault conflict, not_found, engine_unavailable */
export async function commandJob(
  deps: ApiDeps,
  job: JobDocument,
  command: 'pause' | 'resume' | 'cancel' | 'retry',
  body: CommandBody,
): Promise<CommandOutcome> {
  const receiving = job.receiver !== null && !isFinal(job.upload_status);
  if (!openForUpload(job.upload_status, receiving).includes(command)) throw refuseUpload(command, job);
  const by = body.by ?? job.user_email;
  if (command === 'retry') {
    const row = await findDataset(deps.store, job.dataset_uuid);
    if (row === null) throw new Fault('not_found', 'The dataset of this job is gone.');
    if (!openForDataset(row.status, false).includes('retry')) throw refuseDataset('retry', row);
    return await again(deps, row, 'retry', by);
  }
  const receivedHere = deps.receiving.get(job.job_id);
  if (command === 'cancel' && receivedHere !== undefined) {
    receivedHere.abort(new Fault('cancelled', `Cancelled by ${by}.`));
    return { status: 200, answer: { done: true } };
  }
  const order = { ...body, by, jobId: job.job_id };
  return await tell(deps, job.dataset_uuid, command, order, () => refuseUpload(command, job));
}

async function tell(
  deps: ApiDeps,
  uuid: string,
  verb: Verb,
  { by, reason, jobId }: CommandBody & { by: string; jobId?: string },
  refusal: () => Fault,
): Promise<CommandOutcome> {
  const outcome = await deps.engine.command(uuid, verb, {
    by,
    ...(reason === undefined ? {} : { reason }),
    ...(jobId === undefined ? {} : { jobId }),
  });
  switch (outcome.result) {
    case 'done':
      return { status: 200, answer: { done: true, state: { ...outcome.view } } };
    case 'sent':
      return { status: 202, answer: { done: false, notice: NO_WORKER } };
    case 'closed':
      throw refusal();
  }
}

/** A new run of a dataset that stands still. */
async function again(
  deps: ApiDeps,
  row: DatasetDocument,
  reason: 'retry' | 'convert',
  by: string,
): Promise<CommandOutcome> {
  const uploads = reason === 'retry' ? await ordersToRepeat(deps, row) : [];
  const { quietMs } = deps.config;
  const input = datasetInput(row, { fresh: false, reason, by, quietMs, uploads });
  const { runId } = await deps.engine.startAgain(input);
  const { answer } = await accepted(deps);
  return { status: 200, answer: { ...answer, run_id: runId } };
}

/** Orders of uploads that have not become part of the product; the workflow leaves out what was delivered. */
async function ordersToRepeat({ store }: ApiDeps, row: DatasetDocument): Promise<readonly UploadOrder[]> {
  const jobs = await uploadsOfDataset(store, row.uuid);
  const replaced = new Set(jobs.map((job) => orderOf(job)?.replaces));
  const open = jobs.filter(
    (job) => !['completed', 'cancelled'].includes(job.upload_status) && !replaced.has(job.job_id),
  );
  const lost = open.find(isLost);
  if (lost === undefined) return open.flatMap((job) => orderOf(job) ?? []);
  throw new Fault(
    'conflict',
    `cannot retry: the bytes of upload ${lost.job_id} did not arrive; send them again ` +
      `(POST /api/v1/uploads with dataset=${row.uuid} and replaces=${lost.job_id})`,
  );
}

/** Whether the bytes of an upload are gone, so that only its client can repeat it. */
function isLost(job: JobDocument): boolean {
  const source = orderOf(job)?.source;
  if (source?.kind !== 'received') return false;
  return source.fault !== undefined || job.sluice?.failure?.code === 'upload_interrupted';
}

async function accepted({ engine }: ApiDeps): Promise<CommandOutcome> {
  if (await engine.workerAlive()) return { status: 200, answer: { done: true } };
  return { status: 202, answer: { done: false, notice: NO_WORKER } };
}
