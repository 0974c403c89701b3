// Verifications as resources, and the one command that they take.
import type { VerificationDocument } from '../contracts/documents.js';
import type { Verification } from '../contracts/http-verify.js';
import { Fault } from '../domain/fault.js';
import { JOB_TRANSITIONS } from '../domain/job.js';
import type { ApiDeps } from './deps.js';

export function verificationView(row: VerificationDocument): Verification {
  const { job_id, dataset_uuid, status, result, sluice } = row;
  const { progress, failure } = sluice;
  const isOver = !JOB_TRANSITIONS[status].includes('completed');
  const share = progress && progress.total > 0 ? (progress.done / progress.total) * 100 : 0;
  const self = `/api/v1/datasets/${dataset_uuid}/verify/${job_id}`;
  return {
    job_id,
    dataset_uuid,
    job_type: 'verify',
    status,
    by: row.user_email,
    progress_percentage: status === 'completed' ? 100 : Math.min(100, Math.max(0, share)),
    speed_mbps: isOver ? null : (progress?.mbPerSecond ?? null),
    eta_seconds: isOver ? null : Math.round(progress?.etaSeconds ?? 0) || null,
    current_file: isOver ? null : (progress?.note ?? null),
    result: result as Verification['result'],
    failure,
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    links: { self, cancel: `${self}/cancel`, dataset: `/api/v1/datasets/${dataset_uuid}` },
  };
}

/** It ends as soon as its worker hears of it. @throws Fault conflict when it has ended */
export async function cancelVerification(
  { engine }: ApiDeps,
  row: VerificationDocument,
  by: string | undefined,
): Promise<void> {
  const running = await engine.cancelJob(row.job_id, { by: by ?? row.user_email });
  if (!running) throw new Fault('conflict', `cannot cancel: the job is "${row.status}"`);
}
