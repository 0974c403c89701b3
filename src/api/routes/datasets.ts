// Datasets: make, list, show, history, and the commands.
import { z } from 'zod';
import type { DatasetDocument } from '../../contracts/documents.js';
import {
  commandAnswerSchema,
  commandBodySchema,
  createDatasetSchema,
  datasetDetailSchema,
  datasetListSchema,
  historySchema,
} from '../../contracts/http.js';
import { datasetQuerySchema } from '../../contracts/http-queries.js';
import { Fault } from '../../domain/fault.js';
import { isUuid } from '../../domain/ids.js';
import { findDataset, insertDataset, listDatasets } from '../../store/datasets.js';
import { historyOfDataset, insertFirstHistory } from '../../store/history-read.js';
import { uploadsOfDataset } from '../../store/jobs.js';
import { writeCursor } from '../../store/paging.js';
import { commandDataset } from '../commands.js';
import type { ApiDeps } from '../deps.js';
import { answerOnce } from '../idempotency-key.js';
import { requireParameters, requireTargets } from '../intake.js';
import { newIds } from '../new-ids.js';
import { newDataset, withOutput } from '../records.js';
import { countingUploads } from '../repeat.js';
import { type ApiContext, type App, check, checkQuery, mount, parseJson, readText } from '../route.js';
import { datasetDetail, datasetView, historyView } from '../views.js';
import { pageCursor } from './jobs.js';

const tag = 'datasets';
export const uuidParam = z.object({ uuid: z.uuid() });

export function datasetRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'post',
      path: '/api/v1/datasets',
      tag,
      summary: 'Make a dataset without files; uploads name it afterwards',
      headers: z.object({ 'idempotency-key': z.string().optional() }),
      body: { 'application/json': createDatasetSchema },
      answers: { 201: { description: 'Made', schema: datasetDetailSchema } },
      refusals: [409, 422, 503],
    },
    (c) => createDataset(c, deps),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/datasets',
      tag,
      summary: 'List datasets, newest first',
      query: datasetQuerySchema,
      answers: { 200: { description: 'A page', schema: datasetListSchema } },
      refusals: [422, 503],
    },
    (c) => listDatasetsRoute(c, deps),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/datasets/{uuid}',
      tag,
      summary: 'Show a dataset',
      params: uuidParam,
      answers: { 200: { description: 'The dataset', schema: datasetDetailSchema } },
      refusals: [404, 503],
    },
    async (c) => c.json(await detail(deps, await requireDataset(c, deps))),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/datasets/{uuid}/history',
      tag,
      summary: 'Every change of status, oldest first',
      params: uuidParam,
      answers: { 200: { description: 'The history', schema: historySchema } },
      refusals: [404, 503],
    },
    async (c) => {
      const { uuid } = await requireDataset(c, deps);
      return c.json(historyView(await historyOfDataset(deps.store, uuid)));
    },
  );
  commandRoutes(app, deps);
}

function commandRoutes(app: App, deps: ApiDeps): void {
  const verbs = {
    pause: 'Stop at the next safe point',
    resume: 'Go on',
    cancel: 'Give it up',
    retry: 'Try a failed dataset again, from where it failed; a published one at the targets that lack it',
    convert: 'Convert again',
    seal: 'Nothing more is coming',
  } as const;
  for (const verb of Object.keys(verbs) as (keyof typeof verbs)[]) {
    mount(
      app,
      {
        method: 'post',
        path: `/api/v1/datasets/{uuid}/${verb}`,
        tag,
        summary: verbs[verb],
        params: uuidParam,
        body: { 'application/json': commandBodySchema },
        answers: {
          200: { description: 'Done', schema: commandAnswerSchema },
          202: { description: 'Accepted; it takes effect when a worker runs', schema: commandAnswerSchema },
        },
        refusals: [404, 409, 503],
      },
      async (c) => {
        const body = check(commandBodySchema, parseJson(await readText(c)), 'body');
        const { status, answer } = await commandDataset(deps, await requireDataset(c, deps), verb, body);
        return c.json(answer, status);
      },
    );
  }
}

async function createDataset(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const body = parseJson(await readText(c));
  const fields = withOutput(check(createDatasetSchema, body, 'body'));
  requireParameters(fields);
  requireTargets(deps, fields);
  return await answerOnce(c, deps, body, newIds(), async ({ uuid }) => {
    const made = newDataset(uuid, fields, { status: 'submitted', sourceType: 'received', jobId: null });
    await insertDataset(deps.store, made);
    const first = { entity: `dataset:${uuid}`, dataset_uuid: uuid, to: 'submitted', at: made.created_at };
    await insertFirstHistory(deps.store, { ...first, actor: fields.user_email });
    return { status: 201, body: await detail(deps, made) };
  });
}

async function listDatasetsRoute(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const { limit, cursor, ...filter } = checkQuery(c, datasetQuerySchema);
  const { rows, next } = await listDatasets(deps.store, filter, limit, pageCursor(cursor));
  const uploads = await countingUploads(deps.store, rows);
  return c.json({
    datasets: rows.map((row) => datasetView(row, uploads.get(row.uuid) ?? [], deps.config)),
    next: next === undefined ? null : writeCursor(next),
  });
}

const detail = async ({ store, config }: ApiDeps, row: DatasetDocument) =>
  datasetDetail(row, await uploadsOfDataset(store, row.uuid), config);

/** @throws Fault not_found */
export async function requireDataset(c: ApiContext, { store }: ApiDeps): Promise<DatasetDocument> {
  const uuid = c.req.param('uuid') ?? '';
  const row = isUuid(uuid) ? await findDataset(store, uuid.toLowerCase()) : null;
  if (row === null) throw new Fault('not_found', 'There is no dataset with this uuid.');
  return row;
}
