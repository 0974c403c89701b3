// Older clients' routes for uploads in chunks: in any order, several at once, through any process, over every restart.
import { z } from 'zod';
import { messageSchema } from '../../../contracts/http-compat.js';
import {
  chunkFormSchema,
  chunkTakenSchema,
  largeCompleteSchema,
  largeInitiatedSchema,
  largeInitiateSchema,
  largeResumeSchema,
  largeStatusSchema,
} from '../../../contracts/http-large.js';
import { closeWriter } from '../../../store/writers.js';
import type { ApiDeps } from '../../deps.js';
import { type ApiContext, type App, mount } from '../../route.js';
import { cancelUpload } from '../jobs.js';
import { takeChunk } from './chunk.js';
import { complete } from './complete.js';
import { initiate } from './initiate.js';
import { chunksMissing, chunksThere, findLarge } from './session.js';

const tag = 'compatible';
const params = z.object({ upload_id: z.string() });

export function largeRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/large/initiate',
      tag,
      summary: 'Begin an upload in chunks',
      body: { 'application/json': largeInitiateSchema },
      answers: { 200: { description: 'Begun', schema: largeInitiatedSchema } },
      refusals: [400, 404, 409, 413, 415, 422, 429, 503, 507],
    },
    (c) => initiate(c, deps),
  );
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/large/chunk/{upload_id}/{index}',
      tag,
      summary: 'Send a chunk: in any order, several at once, and again as often as it takes',
      params: params.extend({ index: z.string() }),
      body: { 'multipart/form-data': chunkFormSchema },
      answers: { 200: { description: 'It is there', schema: chunkTakenSchema } },
      refusals: [400, 404, 410, 415, 422, 423, 503, 507],
    },
    (c) => takeChunk(c, deps),
  );
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/large/complete/{upload_id}',
      tag,
      summary: 'All chunks were sent; may be asked again',
      params,
      answers: { 200: { description: 'The upload goes on by itself', schema: largeCompleteSchema } },
      refusals: [400, 404, 410, 423, 503],
    },
    (c) => complete(c, deps),
  );
  mount(
    app,
    {
      method: 'delete',
      path: '/api/upload/large/cancel/{upload_id}',
      tag,
      summary: 'Cancel an upload in chunks',
      params,
      answers: { 200: { description: 'Cancelled, or about to be', schema: messageSchema } },
      refusals: [404, 409, 503],
    },
    (c) => cancel(c, deps),
  );
  questions(app, deps);
}

function questions(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/large/status/{upload_id}',
      tag,
      summary: 'Which chunks are there',
      params,
      answers: { 200: { description: 'The upload', schema: largeStatusSchema } },
      refusals: [404, 503],
    },
    async (c) => {
      const large = await findLarge(deps, idOf(c));
      const there = await chunksThere(deps, large);
      return c.json({
        upload_id: large.uploadId,
        uploaded_chunks: there,
        total_chunks: large.totalChunks,
        is_complete: there.length === large.totalChunks,
        progress_percentage: (100 * there.length) / large.totalChunks,
        job_id: large.job.job_id,
        dataset_uuid: large.job.dataset_uuid,
      });
    },
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/large/resume/{upload_id}',
      tag,
      summary: 'Which chunks are missing',
      params,
      answers: { 200: { description: 'The upload', schema: largeResumeSchema } },
      refusals: [404, 503],
    },
    async (c) => {
      const large = await findLarge(deps, idOf(c));
      const isOpen = large.state === 'open';
      return c.json({
        upload_id: large.uploadId,
        missing_chunks: isOpen ? chunksMissing(large, await chunksThere(deps, large)) : [],
        total_chunks: large.totalChunks,
        // Also when none is missing: its client may have gone before it said so.
        can_resume: isOpen,
      });
    },
  );
}

async function cancel(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const { job, state } = await findLarge(deps, idOf(c));
  const answer = await cancelUpload(c, deps);
  if (state === 'open') await closeWriter(deps.store, job.job_id);
  return answer;
}

const idOf = (c: ApiContext): string => c.req.param('upload_id') ?? '';
