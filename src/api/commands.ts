// Commands on datasets and uploads: asked of the workflow; what it does not run, the row answers for.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import type { CommandAnswer, CommandBody } from '../contracts/http.js';
import type { DatasetInput, UploadOrder } from '../contracts/workflow.js';
import { readStatus } from '../domain/dataset.js';
import { Fault } from '../domain/fault.js';
import { mostUrgent, NORMAL_PRIORITY } from '../domain/priority.js';
import type { RetryJob } from '../sources/start.js';
import { uploadsOfDataset } from '../store/jobs.js';
import type { ApiDeps } from './deps.js';
import type { Verb } from './engine.js';
import { replaceSecret } from './new-secret.js';
import {
  type CommandName,
  openForDataset,
  openForUpload,
  openWhileRunning,
  refusal,
  refuseDataset,
  refuseUpload,
} from './open-commands.js';
import { NO_WORKER, queueNotice, servedQueues } from './queues.js';
import { datasetInput } from './records.js';
import { contextsOf, lackingTargets, NO_CONTEXT, planRetry } from './repeat.js';

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
  const refused = async (): Promise<Fault> =>
    refuseDataset(command, row, await uploadsOfDataset(deps.store, row.uuid));
  switch (command) {
    case 'cancel':
      if (await isUnbegun(deps, row)) return await cancelUnbegun(deps, row, { ...body, by });
      return await tell(deps, row.uuid, command, { ...body, by }, refused);
    case 'pause':
    case 'resume':
      return await tell(deps, row.uuid, command, { ...body, by }, refused);
    case 'seal':
      if (!(await deps.engine.seal(row.uuid, { by }))) throw await refused();
      return await accepted(deps);
    case 'retry':
    case 'convert':
      return await again(deps, row, command, by);
  }
}

/** @throws Fault conflict, not_found, engine_unavailable */
export async function commandJob(
  deps: ApiDeps,
  job: JobDocument,
  command: 'pause' | 'resume' | 'cancel' | 'retry',
  { source, ...body }: RetryJob,
): Promise<CommandOutcome> {
  const by = body.by ?? job.user_email;
  const [context = NO_CONTEXT] = await contextsOf(deps.store, [job]);
  if (command === 'retry' && job.upload_status === 'failed') {
    if (context.row === null) throw new Fault('not_found', 'The dataset of this job is gone.');
    if (source !== undefined && openForUpload(job, context).includes('retry')) {
      await replaceSecret(deps, job, source);
    }
    return await again(deps, context.row, 'retry', by);
  }
  if (command === 'retry' || !openForUpload(job, context).includes(command)) {
    throw refuseUpload(command, job, context);
  }
  const receivedHere = deps.receiving.get(job.job_id);
  if (command === 'cancel' && receivedHere !== undefined) {
    receivedHere.abort(new Fault('cancelled', `Cancelled by ${by}.`));
    return { status: 200, answer: { done: true } };
  }
  const order = { ...body, by, jobId: job.job_id };
  return await tell(deps, job.dataset_uuid, command, order, () => refuseUpload(command, job, context));
}

async function tell(
  deps: ApiDeps,
  uuid: string,
  verb: Verb,
  { by, reason, jobId }: CommandBody & { by: string; jobId?: string },
  refused: () => Fault | Promise<Fault>,
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
      throw await refused();
  }
}

/** A record to which nothing was delivered yet; a run that was just started for it may be ahead of its row. */
const isUnbegun = async ({ engine }: ApiDeps, { uuid, status }: DatasetDocument): Promise<boolean> =>
  readStatus(status) === 'submitted' && (await engine.describe(uuid))?.status !== 'RUNNING';

async function cancelUnbegun(
  deps: ApiDeps,
  row: DatasetDocument,
  { by, reason }: CommandBody & { by: string },
): Promise<CommandOutcome> {
  const { quietMs } = deps.config;
  const input = datasetInput(row, { fresh: false, reason: 'delivery', by, quietMs });
  await deps.engine.cancelUnbegun(input, { by, ...(reason === undefined ? {} : { reason }) });
  return await accepted(deps);
}

/** A new run of a dataset that stands still. @throws Fault conflict when there is nothing that it could do */
async function again(
  deps: ApiDeps,
  row: DatasetDocument,
  reason: 'retry' | 'convert',
  by: string,
): Promise<CommandOutcome> {
  const uploads = await uploadsOfDataset(deps.store, row.uuid);
  const open = openForDataset(row, uploads);
  if (!open.includes(reason)) throw refuseDataset(reason, row, uploads);
  const sendAgain = reason === 'retry' ? lackingTargets(row) : undefined;
  const orders = reason === 'retry' && sendAgain === undefined ? planRetry(uploads).orders : [];
  const { quietMs } = deps.config;
  const priority = mostUrgent(orders.map((order) => order.priority ?? NORMAL_PRIORITY));
  const run = { fresh: false, reason, by, quietMs, ...askedAgain(orders), priority };
  const input = datasetInput(row, { ...run, ...(sendAgain === undefined ? {} : { sendAgain }) });
  const { runId } = await startAgain(deps, { ...input, reason }, open);
  const { status, answer } = await accepted(deps);
  return { status, answer: { ...answer, run_id: runId } };
}

/** So many orders fit into a message, whatever they name; of more the run looks up what it comes to. */
const MOST_ORDERS = 100;

const askedAgain = (orders: readonly UploadOrder[]): Pick<DatasetInput, 'uploads' | 'again'> =>
  orders.length <= MOST_ORDERS ? { uploads: orders } : { again: orders.map(({ jobId }) => jobId) };

/** The row may be a moment behind its workflow, which has the last word. @throws Fault conflict */
export async function startAgain(
  { engine }: ApiDeps,
  input: DatasetInput & { readonly reason: 'retry' | 'convert' },
  open: readonly CommandName[],
): Promise<{ runId: string }> {
  try {
    return await engine.startAgain(input);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'conflict') throw error;
    const last = await engine.describe(input.uuid);
    if (last?.status === 'RUNNING') {
      throw refusal(input.reason, { words: 'a run of the dataset is going on' }, openWhileRunning(false));
    }
    throw refusal(input.reason, { words: `its last run ended as ${last?.status ?? 'unknown'}` }, open);
  }
}

/** How an order stands that a workflow takes when a worker runs. */
export async function accepted(deps: ApiDeps): Promise<CommandOutcome> {
  const served = await servedQueues(deps);
  const notice = queueNotice(served);
  const told = notice === undefined ? {} : { notice };
  // The workflow itself runs on the queue control.
  const done = served.control;
  return { status: done ? 200 : 202, answer: { done, ...told } };
}
