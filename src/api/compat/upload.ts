// Older clients' upload routes: POST local/upload and POST initiate. They translate and hold no rules.
import { z } from 'zod';
import {
  initiateSchema,
  placementSchema,
  type UploadResponse,
  uploadResponseSchema,
} from '../../contracts/http-compat.js';
import { booleanField, type SharedFields, sharedFields } from '../../contracts/http-fields.js';
import { Fault } from '../../domain/fault.js';
import { isUuid } from '../../domain/ids.js';
import { offerOf, SOURCE_TYPES, type SourceBody, type SourceType } from '../../sources/registry.js';
import type { ApiDeps } from '../deps.js';
import type { UploadWish } from '../intake.js';
import { InvalidRequest } from '../problem.js';
import type { FormFields } from '../receive-form.js';
import type { DatasetFields } from '../records.js';
import { type App, check, mount, parseJson, readText } from '../route.js';
import { uploadForm, uploadFromSource, type Word } from '../upload.js';

const tag = 'compatible';
const MIB = 1024 * 1024;
const CHUNKED_ABOVE = 100 * MIB;

const formSchema = sharedFields
  .extend({
    relative_path: z.string().max(500).optional(),
    file: z.any().meta({ type: 'string', format: 'binary' }),
  })
  .meta({ id: 'CompatUploadForm' });

export function compatUploadRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'post',
      path: '/api/upload/local/upload',
      tag,
      summary: 'Upload a file',
      body: { 'multipart/form-data': formSchema },
      answers: { 200: { description: 'Accepted', schema: uploadResponseSchema } },
      refusals: [400, 404, 413, 415, 422, 503, 507],
    },
    (c) => uploadForm(c, deps, compatWish, wordFiles),
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
      refusals: [400, 403, 415, 422, 503],
    },
    async (c) => {
      const body = parseJson(await readText(c));
      const request = check(initiateSchema, body, 'body');
      const source = sourceOf(request.source_type, request.source_config);
      const wish = { target: { fields: toFields(request) }, seal: true };
      return await uploadFromSource(c, deps, { wish, source, body }, wordSource(source.type));
    },
  );
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

function compatWish(fields: FormFields): UploadWish {
  const shared = check(sharedFields, fields, 'body');
  const { dataset_identifier: identifier } = check(placementSchema, fields, 'body');
  const adds = fields.add_to_existing !== undefined && check(booleanField, fields.add_to_existing, 'body');
  const target = adds && identifier ? { dataset: existing(identifier) } : { fields: toFields(shared) };
  return { target, seal: true, by: shared.user_email };
}

/** @throws Fault not_found for identifiers that are no uuid: names, slugs and numbers come later */
function existing(identifier: string): string {
  if (isUuid(identifier)) return identifier.toLowerCase();
  throw new Fault('not_found', `404: there is no dataset ${JSON.stringify(identifier.slice(0, 100))}`);
}

function toFields({
  dataset_name: name,
  conversion_parameters: parameters,
  ...rest
}: SharedFields): DatasetFields {
  return { ...rest, name, parameters };
}

const wordFiles: Word = ({ recorded, received, notice }) => {
  const { bytes } = received;
  const chunked = bytes > CHUNKED_ABOVE;
  const seconds = Math.max(chunked ? 300 : 60, Math.ceil((2 * bytes) / MIB));
  return answer(recorded, chunked ? 'chunked' : 'standard', seconds, notice);
};

const wordSource =
  (type: SourceType): Word =>
  ({ recorded, notice }) =>
    answer(recorded, 'standard', offerOf(type).compat?.seconds ?? 60, notice);

function answer(
  { order, row }: Parameters<Word>[0]['recorded'],
  upload_type: string,
  estimated_duration: number,
  notice: string | undefined,
): { status: 200; body: UploadResponse } {
  const message = notice === undefined ? 'Upload accepted' : `Upload accepted: ${notice}`;
  const body = { job_id: order.jobId, status: 'queued', message, estimated_duration, upload_type } as const;
  return { status: 200, body: { ...body, dataset_uuid: row.uuid } };
}
