// PUT /api/v1/files/<path>: one file as the whole body, its fields in the query. What `curl -T` sends.
import { z } from 'zod';
import { safeRelativePath } from '../../bytes/safe-names.js';
import {
  existingDatasetSchema,
  formParts,
  newDatasetUploadSchema,
  uploadAnswerSchema,
} from '../../contracts/http.js';
import { Fault } from '../../domain/fault.js';
import type { ApiDeps } from '../deps.js';
import { nativeAnswer, nativeWish } from '../dialect.js';
import { announcedSha256 } from '../digest-header.js';
import { type ApiContext, type App, mount } from '../route.js';
import { uploadBody } from '../upload.js';

const PREFIX = '/api/v1/files/';
const { file: _file, ...parts } = formParts;
const query = newDatasetUploadSchema
  .partial()
  .extend({ dataset: existingDatasetSchema.shape.dataset.optional(), ...parts })
  .meta({ id: 'PutQuery' });

export function putRoutes(app: App, deps: ApiDeps): void {
  const take = (c: ApiContext): Promise<Response> => {
    const path = pathOf(c);
    const sha256 = announcedSha256(c);
    const asked = c.req.query();
    // A file that makes its dataset names it, unless the query does.
    const named = asked['dataset'] === undefined ? { name: path.slice(path.lastIndexOf('/') + 1) } : {};
    const fields = { ...named, ...asked, ...(sha256 === undefined ? {} : { sha256 }) };
    return uploadBody(c, deps, { path, fields }, nativeWish, nativeAnswer);
  };
  mount(
    app,
    {
      method: 'put',
      path: `${PREFIX}{path}`,
      tag: 'uploads',
      summary: 'Upload one file: the body is the file',
      description:
        'The path is the one that the file has in its dataset. A digest in Repr-Digest, Content-Digest or ' +
        'X-Content-SHA256 is compared before the file counts.',
      params: z.object({ path: z.string() }),
      query,
      headers: z.object({
        'idempotency-key': z.string().optional(),
        'repr-digest': z.string().optional(),
        'x-content-sha256': z.string().optional(),
      }),
      body: { 'application/octet-stream': z.any().meta({ type: 'string', format: 'binary' }) },
      answers: { 201: { description: 'Accepted', schema: uploadAnswerSchema } },
      refusals: [400, 403, 404, 409, 413, 422, 429, 503, 507],
    },
    take,
  );
  app.put(`${PREFIX}*`, take);
}

/** With its slashes, decoded once. @throws Fault unsafe_name, empty_file_name */
function pathOf(c: ApiContext): string {
  try {
    return safeRelativePath(decodeURIComponent(new URL(c.req.url).pathname.slice(PREFIX.length)));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unsafe_name', 'The path of the file is not valid text.', { cause: error });
  }
}
