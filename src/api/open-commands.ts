// Which commands the present state allows, as the rows show it; the words of refusals come from here.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import { isSettled, readStatus } from '../domain/dataset.js';
import { Fault } from '../domain/fault.js';
import { isFinal } from '../domain/upload.js';
import { hasDelivery, type JobContext, lackingTargets, planRetry } from './repeat.js';

export type CommandName = 'pause' | 'resume' | 'cancel' | 'retry' | 'convert' | 'seal';

/**
 * Commands that a dataset takes now.
 * @param uploads at least those that are unfinished, or replace another
 */
export function openForDataset(
  row: DatasetDocument,
  uploads: readonly JobDocument[],
): readonly CommandName[] {
  const status = readStatus(row.status);
  if (status === 'done') return lackingTargets(row) === undefined ? ['convert'] : ['retry', 'convert'];
  if (status === 'cancelled') return [];
  if (status === 'submitted') return ['cancel'];
  if (!isSettled(status)) return openWhileRunning(row.sluice?.paused != null);
  return (['retry', 'convert'] as const).filter((name) => whyNotAgain(name, row, uploads) === undefined);
}

/** Commands that a dataset takes while a run of it goes on. */
export const openWhileRunning = (paused: boolean): readonly CommandName[] => [
  paused ? 'resume' : 'pause',
  'cancel',
  'seal',
];

/** Commands that an upload takes now. */
export function openForUpload(job: JobDocument, { row, siblings }: JobContext): readonly CommandName[] {
  const status = job.upload_status;
  switch (status) {
    case 'completed':
    case 'cancelled':
      return [];
    case 'failed':
      // It is repeated by a new run of its dataset; that of a published one is for targets only.
      return row !== null &&
        readStatus(row.status) !== 'done' &&
        openForDataset(row, siblings).includes('retry')
        ? ['retry']
        : [];
    case 'paused':
      return ['resume', 'cancel'];
    case 'processing':
    case 'verifying':
      return ['cancel'];
    case 'queued':
    case 'initializing':
    case 'uploading':
      // While a client still sends, only the client sets the pace.
      return isReceiving(job) ? ['cancel'] : ['pause', 'cancel'];
  }
}

const isReceiving = ({ receiver, upload_status }: JobDocument): boolean =>
  receiver != null && !isFinal(upload_status);

/** The refusal of a command on a dataset. */
export function refuseDataset(
  command: CommandName,
  row: DatasetDocument,
  uploads: readonly JobDocument[],
): Fault {
  const open = openForDataset(row, uploads);
  const why = command === 'retry' || command === 'convert' ? whyNotAgain(command, row, uploads) : undefined;
  return refusal(command, why ?? { words: `the dataset is "${row.status}"` }, open);
}

/** The refusal of a command on an upload. */
export function refuseUpload(command: CommandName, job: JobDocument, context: JobContext): Fault {
  const open = openForUpload(job, context);
  return refusal(command, { words: `the upload is "${job.upload_status}"` }, open);
}

interface Reason {
  readonly words: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Why a new run of the dataset would be of no use; undefined when it can begin. */
function whyNotAgain(
  command: 'retry' | 'convert',
  row: DatasetDocument,
  uploads: readonly JobDocument[],
): Reason | undefined {
  const status = readStatus(row.status);
  const fits =
    command === 'retry' ? isSettled(status) : ['failed', 'conversion error', 'done'].includes(status);
  if (
    !fits ||
    status === 'cancelled' ||
    (command === 'retry' && status === 'done' && lackingTargets(row) === undefined)
  ) {
    return { words: `the dataset is "${row.status}"` };
  }
  if (status === 'done') return undefined;
  const { orders, lost } = planRetry(uploads);
  if (command === 'retry' && lost !== undefined) return lostWords(lost);
  if (hasDelivery(row)) return undefined;
  if (command === 'convert') return { words: 'no file of the dataset was delivered yet' };
  return orders.length === 0 ? { words: 'the dataset has no upload that could be repeated' } : undefined;
}

function lostWords({ job_id: replaces, dataset_uuid }: JobDocument): Reason {
  const how = `POST /api/v1/uploads with dataset=${dataset_uuid} and replaces=${replaces}`;
  return {
    words: `the bytes of upload ${replaces} did not arrive; send them again (${how})`,
    facts: { replaces },
  };
}

/** A refusal that says why, and what is open. */
export function refusal(
  command: CommandName | 'change the targets',
  { words, facts = {} }: Reason,
  open: readonly CommandName[],
): Fault {
  const rest = open.filter((name) => name !== command);
  return new Fault('conflict', `cannot ${command}: ${words}; now open: ${rest.join(', ') || 'nothing'}`, {
    facts: { ...facts, open: rest },
  });
}
