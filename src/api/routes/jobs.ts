// Jobs: list, show, logs, and the commands on one upload.
import { z } from 'zod';
import type { JobDocument, VerificationDocument } from '../../contracts/documents.js';
import { commandAnswerSchema, commandBodySchema, jobListSchema, jobSchema } from '../../contracts/http.js';
import { countField } from '../../contracts/http-fields.js';
import { jobQuerySchema } from '../../contracts/http-queries.js';
import { verificationSchema } from '../../contracts/http-verify.js';
import { Fault } from '../../domain/fault.js';
import { isJobId } from '../../domain/ids.js';
import { jobTypeOf } from '../../domain/job.js';
import { retryJobSchema } from '../../sources/start.js';
import { historyOfUpload } from '../../store/history-read.js';
import { findJob, listJobs } from '../../store/jobs.js';
import { readCursor, writeCursor } from '../../store/paging.js';
import { findVerification } from '../../store/verifications.js';
import { commandJob } from '../commands.js';
import type { ApiDeps } from '../deps.js';
import { readJobLogs } from '../job-logs.js';
import { contextsOf, NO_CONTEXT } from '../repeat.js';
import { type ApiContext, type App, check, checkQuery, mount, parseJson, readText } from '../route.js';
import { cancelVerification, verificationView } from '../verification.js';
import { jobView } from '../views.js';

export const jobQuery = jobQuerySchema;
const params = z.object({ job_id: z.string() });
const tag = 'jobs';

export function jobRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/jobs',
      tag,
      summary: 'List uploads, newest first',
      query: jobQuery,
      answers: { 200: { description: 'A page', schema: jobListSchema } },
      refusals: [422, 503],
    },
    (c) => listJobsRoute(c, deps),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/jobs/{job_id}',
      tag,
      summary: 'Show a job: an upload, or a verification',
      params,
      answers: { 200: { description: 'The job', schema: z.union([jobSchema, verificationSchema]) } },
      refusals: [404, 503],
    },
    async (c) => {
      const verification = await verificationOf(c, deps);
      return verification === undefined ? await showJob(c, deps) : c.json(verificationView(verification));
    },
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/jobs/{job_id}/logs',
      tag,
      summary: 'What the programs of this job wrote',
      params,
      query: logQuery,
      answers: { 200: { description: 'The last bytes', schema: z.string(), type: 'text/plain' } },
      refusals: [404, 503],
    },
    async (c) => {
      const job = (await verificationOf(c, deps)) ?? (await requireJob(c, deps));
      const { tail } = checkQuery(c, logQuery);
      return c.text(await readJobLogs(deps.config.home, job.dataset_uuid, tail));
    },
  );
  commandRoutes(app, deps);
}

function commandRoutes(app: App, deps: ApiDeps): void {
  for (const verb of ['pause', 'resume', 'cancel', 'retry'] as const) {
    mount(
      app,
      {
        method: 'post',
        path: `/api/v1/jobs/{job_id}/${verb}`,
        tag,
        summary: `${verb[0]?.toUpperCase()}${verb.slice(1)} a job`,
        params,
        body: { 'application/json': verb === 'retry' ? retryJobSchema : commandBodySchema },
        answers: {
          200: { description: 'Done', schema: commandAnswerSchema },
          202: { description: 'Accepted; it takes effect when a worker runs', schema: commandAnswerSchema },
        },
        refusals: verb === 'retry' ? [403, 404, 409, 422, 503] : [404, 409, 503],
      },
      (c) => command(c, deps, verb),
    );
  }
}

async function command(
  c: ApiContext,
  deps: ApiDeps,
  verb: 'pause' | 'resume' | 'cancel' | 'retry',
): Promise<Response> {
  const schema = verb === 'retry' ? retryJobSchema : commandBodySchema;
  const body = check<typeof schema>(schema, parseJson(await readText(c)), 'body');
  const verification = await verificationOf(c, deps);
  if (verification === undefined) {
    const { status, answer } = await commandJob(deps, await requireJob(c, deps), verb, body);
    return c.json(answer, status);
  }
  if (verb !== 'cancel') throw new Fault('conflict', `cannot ${verb}: a verification can only be cancelled`);
  await cancelVerification(deps, verification, body.by);
  return c.json({ done: true }, 202);
}

/** Lines of a job's history that are shown with it. */
const LOG_LINES = 100;
const logQuery = z.object({ tail: countField(1, 16_777_216, 1_048_576) });

export async function listJobsRoute(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const { limit, cursor, ...filter } = checkQuery(c, jobQuery);
  const { rows, next } = await listJobs(deps.store, filter, limit, pageCursor(cursor));
  const contexts = await contextsOf(deps.store, rows);
  return c.json({
    jobs: rows.map((job, at) => jobView(job, contexts[at] ?? NO_CONTEXT)),
    next: next === undefined ? null : writeCursor(next),
  });
}

export async function showJob(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const job = await requireJob(c, deps);
  const [[context = NO_CONTEXT], history] = await Promise.all([
    contextsOf(deps.store, [job]),
    historyOfUpload(deps.store, job.job_id, LOG_LINES),
  ]);
  return c.json(jobView(job, context, history));
}

/** The verification that the path names; nothing when its id is that of another type. @throws Fault not_found */
async function verificationOf(c: ApiContext, { store }: ApiDeps): Promise<VerificationDocument | undefined> {
  const id = c.req.param('job_id') ?? '';
  if (jobTypeOf(id) !== 'verify') return undefined;
  const row = isJobId(id) ? await findVerification(store, id) : null;
  if (row === null) throw new Fault('not_found', 'There is no job with this id.');
  return row;
}

/** @throws Fault not_found */
async function requireJob(c: ApiContext, { store }: ApiDeps): Promise<JobDocument> {
  const id = c.req.param('job_id') ?? '';
  const job = isJobId(id) ? await findJob(store, id) : null;
  if (job === null) throw new Fault('not_found', 'There is no job with this id.');
  return job;
}

/** @throws InvalidRequest-like Fault for a cursor that we did not write */
export function pageCursor(text: string | undefined) {
  if (text === undefined) return undefined;
  const cursor = readCursor(text);
  if (cursor === undefined) throw new Fault('invalid_field', 'cursor: not one that this server gave.');
  return cursor;
}
