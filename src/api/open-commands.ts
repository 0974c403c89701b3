// Which commands the present state allows, as the row shows it; the words of refusals come from here.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import { type DatasetStatus, isSettled } from '../domain/dataset.js';
import { Fault } from '../domain/fault.js';
import type { UploadStatus } from '../domain/upload.js';

export type CommandName = 'pause' | 'resume' | 'cancel' | 'retry' | 'convert' | 'seal';

/** Commands that a dataset takes now. */
export function openForDataset(status: DatasetStatus, paused: boolean): readonly CommandName[] {
  if (status === 'done') return ['convert'];
  if (status === 'cancelled' || status === 'submitted') return [];
  if (status === 'conversion error' || status === 'failed') return ['retry', 'convert'];
  if (isSettled(status)) return ['retry'];
  return [paused ? 'resume' : 'pause', 'cancel', 'seal'];
}

/** Commands that an upload takes now. */
export function openForUpload(status: UploadStatus, receiving: boolean): readonly CommandName[] {
  switch (status) {
    case 'completed':
    case 'cancelled':
      return [];
    case 'failed':
      return ['retry'];
    case 'paused':
      return ['resume', 'cancel'];
    case 'processing':
    case 'verifying':
      return ['cancel'];
    case 'queued':
    case 'initializing':
    case 'uploading':
      // While a client still sends, only the client sets the pace.
      return receiving ? ['cancel'] : ['pause', 'cancel'];
  }
}

/** The refusal of a command on a dataset. */
export function refuseDataset(command: CommandName, row: DatasetDocument): Fault {
  const open = openForDataset(row.status, row.sluice?.paused != null);
  return refusal(command, `the dataset is "${row.status}"`, open);
}

/** The refusal of a command on an upload. */
export function refuseUpload(command: CommandName, job: JobDocument): Fault {
  const open = openForUpload(job.upload_status, job.receiver !== null);
  return refusal(command, `the upload is "${job.upload_status}"`, open);
}

function refusal(command: CommandName, state: string, open: readonly CommandName[]): Fault {
  const rest = open.filter((name) => name !== command);
  return new Fault('conflict', `cannot ${command}: ${state}; now open: ${rest.join(', ') || 'nothing'}`, {
    facts: { open: rest },
  });
}
