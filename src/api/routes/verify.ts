// Verifications: prove a published product again, see how far that is, give it up.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { DatasetDocument, VerificationDocument } from '../../contracts/documents.js';
import { commandAnswerSchema, commandBodySchema } from '../../contracts/http.js';
import {
  type Verification,
  verificationListSchema,
  verificationSchema,
} from '../../contracts/http-verify.js';
import type { VerifyOrder } from '../../contracts/verification.js';
import { Fault } from '../../domain/fault.js';
import { isJobId, verifyJobId } from '../../domain/ids.js';
import {
  findVerification,
  forgetVerification,
  insertVerification,
  verificationsOf,
} from '../../store/verifications.js';
import type { ApiDeps } from '../deps.js';
import { queueNotice, servedQueues } from '../queues.js';
import { type ApiContext, type App, check, mount, parseJson, readText } from '../route.js';
import { cancelVerification, verificationView } from '../verification.js';
import { requireDataset, uuidParam } from './datasets.js';

const tag = 'datasets';
const jobParams = uuidParam.extend({ job_id: z.string() });
const PATH = '/api/v1/datasets/{uuid}/verify';
const MOST_LISTED = 100;

export function verifyRoutes(app: App, deps: ApiDeps): void {
  const body = { 'application/json': commandBodySchema };
  mount(
    app,
    {
      method: 'post',
      path: PATH,
      tag,
      summary: 'Prove the published product again',
      description:
        'Starts a job that compares every file with the checksum manifest, and blocks with the proof.',
      params: uuidParam,
      body,
      answers: { 202: { description: 'The job', schema: verificationSchema } },
      refusals: [404, 409, 422, 503],
    },
    async (c) => c.json(await startVerification(c, deps), 202),
  );
  mount(
    app,
    {
      method: 'get',
      path: PATH,
      tag,
      summary: 'The verifications of a dataset, newest first',
      params: uuidParam,
      answers: { 200: { description: 'At most 100', schema: verificationListSchema } },
      refusals: [404, 503],
    },
    async (c) => {
      const { uuid } = await requireDataset(c, deps);
      const rows = await verificationsOf(deps.store, uuid, MOST_LISTED);
      return c.json({ verifications: rows.map(verificationView) });
    },
  );
  jobRoutes(app, deps);
}

function jobRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: `${PATH}/{job_id}`,
      tag,
      summary: 'How far a verification is, and what it found',
      params: jobParams,
      answers: { 200: { description: 'The job', schema: verificationSchema } },
      refusals: [404, 503],
    },
    async (c) => c.json(verificationView(await requireVerification(c, deps))),
  );
  mount(
    app,
    {
      method: 'post',
      path: `${PATH}/{job_id}/cancel`,
      tag,
      summary: 'Give a verification up',
      params: jobParams,
      body: { 'application/json': commandBodySchema },
      answers: {
        202: { description: 'It ends as soon as its worker hears of it', schema: commandAnswerSchema },
      },
      refusals: [404, 409, 422, 503],
    },
    async (c) => {
      const { by } = check(commandBodySchema, parseJson(await readText(c)), 'body');
      const row = await requireVerification(c, deps);
      await cancelVerification(deps, row, by);
      return c.json({ done: true }, 202);
    },
  );
}

/** The row first, so that whoever asked can read it at once. */
async function startVerification(c: ApiContext, deps: ApiDeps): Promise<Verification> {
  const body = check(commandBodySchema, parseJson(await readText(c)), 'body');
  const dataset = await requireDataset(c, deps);
  const order = orderFor(dataset, body.by);
  await insertVerification(deps.store, order);
  try {
    await deps.engine.startJob(order);
  } catch (error) {
    await forgetVerification(deps.store, order.jobId);
    throw error;
  }
  const row = await findVerification(deps.store, order.jobId);
  if (row === null) throw new Fault('not_found', 'The job is gone.');
  const notice = queueNotice(await servedQueues(deps));
  return { ...verificationView(row), ...(notice === undefined ? {} : { notice }) };
}

function orderFor(dataset: DatasetDocument, by: string | undefined): VerifyOrder {
  const { uuid, name, sluice } = dataset;
  const manifest = sluice?.product?.manifest;
  if (manifest === undefined)
    throw new Fault('conflict', 'cannot verify: the dataset has no published product');
  const owner = dataset.user_email ?? dataset.user;
  const jobId = verifyJobId(Date.now(), randomBytes(4).toString('hex'));
  return { type: 'verify', jobId, uuid, name, owner, by: by ?? owner, manifest };
}

async function requireVerification(c: ApiContext, deps: ApiDeps): Promise<VerificationDocument> {
  const { uuid } = await requireDataset(c, deps);
  const id = c.req.param('job_id') ?? '';
  const row = isJobId(id) ? await findVerification(deps.store, id) : null;
  if (row === null || row.dataset_uuid !== uuid)
    throw new Fault('not_found', 'There is no such verification.');
  return row;
}
