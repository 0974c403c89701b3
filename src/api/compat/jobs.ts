// Older clients' job routes: status, cancel, list, supported sources. They translate and hold no rules.
import { z } from 'zod';
import type { DatasetDocument, JobDocument } from '../../contracts/documents.js';
import {
  type CompatJobStatus,
  compatJobListSchema,
  compatJobQuerySchema,
  jobStatusSchema,
  messageSchema,
  supportedSourcesSchema,
} from '../../contracts/http-compat.js';
import { Fault } from '../../domain/fault.js';
import { isJobId } from '../../domain/ids.js';
import { OLDER_SENSORS } from '../../domain/sensor.js';
import { isFinal, type UploadStatus } from '../../domain/upload.js';
import { OFFERS, SOURCE_TYPES } from '../../sources/registry.js';
import { datasetsByUuid, findDataset } from '../../store/datasets.js';
import { findJob, listJobsAt } from '../../store/jobs.js';
import { commandJob } from '../commands.js';
import type { ApiDeps } from '../deps.js';
import { uploadProgress } from '../progress.js';
import { type ApiContext, type App, checkQuery, mount } from '../route.js';
import { jobIdOf } from './large/session.js';

const tag = 'compatible';
const params = z.object({ job_id: z.string() });

export function compatJobRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/status/{job_id}',
      tag,
      summary: 'How far an upload is',
      params,
      answers: { 200: { description: 'The upload', schema: jobStatusSchema } },
      refusals: [404, 503],
    },
    async (c) => {
      const job = await requireUpload(c, deps);
      return c.json(statusOf(job, await findDataset(deps.store, job.dataset_uuid)));
    },
  );
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/cancel/{job_id}',
      tag,
      summary: 'Cancel an upload',
      params,
      answers: { 200: { description: 'Cancelled, or about to be', schema: messageSchema } },
      refusals: [404, 409, 503],
    },
    (c) => cancelUpload(c, deps),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/jobs',
      tag,
      summary: "A user's uploads, newest first",
      query: compatJobQuerySchema,
      answers: { 200: { description: 'A page', schema: compatJobListSchema } },
      refusals: [400, 422, 503],
    },
    (c) => listUploads(c, deps),
  );
  supportedSources(app);
}

function supportedSources(app: App): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/supported-sources',
      tag,
      summary: 'What this server takes',
      answers: { 200: { description: 'Sources and sensors', schema: supportedSourcesSchema } },
    },
    (c) =>
      c.json({
        source_types: SOURCE_TYPES,
        sensor_types: OLDER_SENSORS,
        convertible_sensor_types: OLDER_SENSORS,
        required_parameters: parameters('required'),
        optional_parameters: parameters('optional'),
      }),
  );
}

const parameters = (which: 'required' | 'optional') =>
  Object.fromEntries(SOURCE_TYPES.map((type) => [type, OFFERS[type].parameters[which]]));

/** These clients take 404 for "too late" as well as for "unknown". */
export async function cancelUpload(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const job = await requireUpload(c, deps);
  if (isFinal(job.upload_status)) throw ended(job);
  try {
    const { status } = await commandJob(deps, job, 'cancel', {});
    const done = status === 200 ? 'cancelled' : 'will be cancelled when a worker runs';
    return c.json({ message: `Upload ${job.job_id} ${done}` });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'conflict') throw error;
    // It may have ended between the look and the command.
    const now = await requireUpload(c, deps);
    throw isFinal(now.upload_status) ? ended(now) : error;
  }
}

function ended({ job_id, upload_status: how, completed_at, sluice, error }: JobDocument): Fault {
  const when = completed_at ? ` at ${completed_at.toISOString()}` : '';
  const why = how === 'failed' ? `: ${sluice?.failure?.say ?? error ?? 'no reason is known'}` : '';
  const detail = `404: upload ${job_id} cannot be cancelled: it ended as "${how}"${when}${why}`;
  return new Fault('job_ended', detail, { facts: { upload_status: how } });
}

async function listUploads(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const { user_id, status, limit, offset } = checkQuery(c, compatJobQuerySchema);
  if (user_id === undefined || user_id === '') {
    throw new Fault('missing_parameter', 'user_id is missing: the e-mail address whose uploads are listed.');
  }
  const filter = { user_email: user_id, upload_status: status };
  const { rows, total } = await listJobsAt(deps.store, filter, limit, offset);
  const datasets = await datasetsByUuid(
    deps.store,
    rows.map(({ dataset_uuid }) => dataset_uuid),
  );
  const jobs = rows.map((job) => statusOf(job, datasets.get(job.dataset_uuid) ?? null));
  return c.json({ jobs, total, limit, offset });
}

async function requireUpload(c: ApiContext, { store }: ApiDeps): Promise<JobDocument> {
  const id = jobIdOf(c.req.param('job_id') ?? c.req.param('upload_id') ?? '');
  const job = isJobId(id) ? await findJob(store, id) : null;
  if (job === null) throw new Fault('not_found', '404: there is no upload with this job id');
  return job;
}

function statusOf(job: JobDocument, row: DatasetDocument | null): CompatJobStatus {
  const { progress_percentage, speed_mbps, eta_seconds, current_file } = uploadProgress(job, row);
  const failure = job.sluice?.failure ?? null;
  const error = failure?.say ?? job.error;
  return {
    job_id: job.job_id,
    status: job.upload_status,
    progress_percentage,
    bytes_uploaded: job.bytes_uploaded,
    bytes_total: job.bytes_total,
    speed_mbps: speed_mbps ?? 0,
    eta_seconds: eta_seconds ?? 0,
    current_file: current_file ?? '',
    message: failure === null ? WORDS[job.upload_status] : `${failure.say} ${failure.remedy}`,
    error,
    error_message: error,
    created_at: job.created_at.toISOString(),
    updated_at: job.updated_at.toISOString(),
    dataset_uuid: job.dataset_uuid,
  };
}

const WORDS: Readonly<Record<UploadStatus, string>> = {
  queued: 'Waiting',
  initializing: 'Starting',
  uploading: 'The files are being brought in',
  processing: 'The files are being processed',
  verifying: 'The files are being verified',
  completed: 'Converted and published',
  failed: 'Failed',
  cancelled: 'Cancelled',
  paused: 'Paused',
};
