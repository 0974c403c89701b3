// POST /api/v1/uploads: bytes in a form, or a source in JSON. An upload is a job; reading one is reading that job.
import { z } from 'zod';
import {
  formParts,
  jobListSchema,
  jobSchema,
  newDatasetUploadSchema,
  uploadAnswerSchema,
} from '../../contracts/http.js';
import { startUploadSchema } from '../../sources/start.js';
import type { ApiDeps } from '../deps.js';
import { nativeAnswer, nativeStart, nativeWish } from '../dialect.js';
import { type App, mount, parseJson, readText } from '../route.js';
import { uploadForm, uploadFromSource } from '../upload.js';
import { jobQuery, listJobsRoute, showJob } from './jobs.js';

const formSchema = newDatasetUploadSchema
  .partial()
  .extend({
    dataset: z.uuid().optional(),
    ...formParts,
  })
  .meta({ id: 'UploadForm' });

export function uploadRoutes(app: App, deps: ApiDeps): void {
  const tag = 'uploads';
  mount(
    app,
    {
      method: 'post',
      path: '/api/v1/uploads',
      tag,
      summary: 'Bring bytes into a new dataset, or into the one that `dataset` names',
      description:
        'As a form: fields in any order and any number of parts `file` (names may hold relative paths). ' +
        'As JSON: `source` names a URL or a path on the server.',
      headers: z.object({ 'idempotency-key': z.string().optional() }),
      body: { 'multipart/form-data': formSchema, 'application/json': startUploadSchema },
      answers: { 201: { description: 'Accepted', schema: uploadAnswerSchema } },
      refusals: [400, 403, 404, 409, 413, 415, 422, 429, 503, 507],
    },
    async (c) => {
      if (/^multipart\//i.test(c.req.header('content-type') ?? '')) {
        return await uploadForm(c, deps, nativeWish, nativeAnswer);
      }
      const body = parseJson(await readText(c));
      return await uploadFromSource(c, deps, { ...nativeStart(body), body }, nativeAnswer);
    },
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/uploads',
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
      path: '/api/v1/uploads/{job_id}',
      tag,
      summary: 'Show an upload',
      params: z.object({ job_id: z.string() }),
      answers: { 200: { description: 'The upload', schema: jobSchema } },
      refusals: [404, 503],
    },
    (c) => showJob(c, deps),
  );
}
