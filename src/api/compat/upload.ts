// Older clients' upload routes: files in a form, a path on the server, another source. They translate and hold no rules.
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import {
  initiateSchema,
  pathFormSchema,
  placementFields,
  uploadResponseSchema,
} from '../../contracts/http-compat.js';
import { sharedFields } from '../../contracts/http-fields.js';
import { Fault, faultOf } from '../../domain/fault.js';
import { checkSource, offerOf, SOURCE_TYPES, type SourceBody } from '../../sources/registry.js';
import { type ApiDeps, offerDeps } from '../deps.js';
import { InvalidRequest } from '../problem.js';
import { readFields } from '../read-fields.js';
import { type ApiContext, type App, check, mount, parseJson, readText } from '../route.js';
import { uploadForm, uploadFromSource } from '../upload.js';
import { wordFiles, wordPath, wordSource } from './answer.js';
import { compatWish, toFields } from './wish.js';

const tag = 'compatible';

const formSchema = sharedFields
  .extend({
    ...placementFields,
    relative_path: z.string().max(500).optional(),
    file: z.any().meta({ type: 'string', format: 'binary' }),
  })
  .meta({ id: 'CompatUploadForm' });

export function compatUploadRoutes(app: App, deps: ApiDeps): void {
  for (const path of ['/api/upload/local/upload', '/api/upload/upload'] as const) {
    mount(
      app,
      {
        method: 'post',
        path,
        tag,
        summary: 'Upload a file',
        description:
          'With `dataset_identifier` several such requests, also at the same time, fill one dataset: a new uuid makes ' +
          'it, and with `add_to_existing` the dataset must exist.',
        body: { 'multipart/form-data': formSchema },
        answers: { 200: { description: 'Accepted', schema: uploadResponseSchema } },
        refusals: [400, 404, 409, 413, 415, 422, 429, 503, 507],
      },
      (c) => uploadForm(c, deps, compatWish, wordFiles),
    );
  }
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/upload-path',
      tag,
      summary: 'Upload a file that lies on the server',
      body: {
        'application/x-www-form-urlencoded': pathFormSchema,
        'multipart/form-data': pathFormSchema,
      },
      answers: { 200: { description: 'Accepted', schema: uploadResponseSchema } },
      refusals: [400, 403, 404, 409, 413, 415, 422, 429, 503],
    },
    (c) => uploadPath(c, deps),
  );
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/initiate',
      tag,
      summary: 'Start an upload from a source that the server fetches',
      body: { 'application/json': initiateSchema },
      answers: { 200: { description: 'Accepted', schema: uploadResponseSchema } },
      refusals: [400, 403, 415, 422, 429, 503],
    },
    async (c) => {
      const body = parseJson(await readText(c));
      const request = check(initiateSchema, body, 'body');
      const source = sourceOf(request.source_type, request.source_config);
      const { priority } = request;
      const wish = { target: { fields: toFields(request) }, seal: true, priority };
      return await uploadFromSource(c, deps, { wish, source, body }, wordSource(source.type));
    },
  );
}

async function uploadPath(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const fields = await readFields(c, deps);
  const { file_path: path, original_filename: name } = check(pathFormSchema, fields, 'body');
  const wish = compatWish(fields);
  const source = { type: 'local', path, ...(name ? { name } : {}) } as const;
  const bytes = await sizeOnServer(deps, source);
  return await uploadFromSource(c, deps, { wish, source, body: fields }, wordPath(bytes));
}

/** @throws Fault not_a_file, outside_roots */
async function sizeOnServer(deps: ApiDeps, source: SourceBody): Promise<number> {
  try {
    const checked = await checkSource(source, offerDeps(deps));
    const found = checked.source.kind === 'local' ? await stat(checked.source.path) : undefined;
    if (found?.isFile()) return found.size;
  } catch (error) {
    if (faultOf(error)?.code !== 'path_not_found') throw error;
  }
  throw new Fault('not_a_file', 'file_path: there is no file with this path on the server.');
}

/** @throws Fault wrong_route for `local`, InvalidRequest for what this version does not fetch */
function sourceOf(type: string, config: Record<string, unknown>): SourceBody {
  if (type === 'local') {
    throw new Fault('wrong_route', 'Files are sent to POST /api/upload/local/upload.');
  }
  const known = SOURCE_TYPES.find((one) => one === type);
  const compat = known && offerOf(known).compat;
  if (compat === undefined) {
    const offered = SOURCE_TYPES.filter((one) => offerOf(one).compat !== undefined);
    const msg = `Input should be one of: ${offered.join(', ')}`;
    throw new InvalidRequest([{ type: 'enum', loc: ['body', 'source_type'], msg, input: type }]);
  }
  try {
    return check(compat.config, config, 'body') as SourceBody;
  } catch (error) {
    if (!(error instanceof InvalidRequest)) throw error;
    const [part, ...rest] = error.errors[0]?.loc ?? ['body'];
    throw new InvalidRequest(
      error.errors.map((one) => ({ ...one, loc: [part ?? 'body', 'source_config', ...rest] })),
    );
  }
}
