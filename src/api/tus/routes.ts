// tus 1.0 at /files: the protocol's frame around its handlers.
import { z } from 'zod';
import { uploadAnswerSchema } from '../../contracts/http.js';
import { Fault } from '../../domain/fault.js';
import type { ApiDeps } from '../deps.js';
import { problemResponse } from '../problem.js';
import { type ApiContext, type App, mount } from '../route.js';
import { create, end, take, tell } from './handlers.js';
import { ALGORITHMS, VERSION } from './headers.js';

const EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'termination',
  'expiration',
  'checksum',
];
const PATH = '/files';
const ONE = '/files/{id}';
const tag = 'tus';

export function tusRoutes(app: App, deps: ApiDeps): void {
  const params = z.object({ id: z.string() });
  const answers = { 204: { description: 'Done' } };
  const one = { path: ONE, tag, params };
  mount(
    app,
    {
      method: 'post',
      path: PATH,
      tag,
      summary: 'Begin a resumable upload (tus 1.0)',
      description:
        'Headers: Tus-Resumable, Upload-Length or Upload-Defer-Length, Upload-Metadata with filename and the fields of ' +
        'a native upload (dataset, or name, sensor, user_email …; relativePath, sha256, seal).',
      headers: z.object({ 'idempotency-key': z.string().optional() }),
      answers: { 201: { description: 'Begun; its address is in Location', schema: uploadAnswerSchema } },
      refusals: [400, 404, 409, 412, 413, 422, 429, 503, 507],
    },
    (c) => framed(c, deps, () => create(c, deps)),
  );
  const ask = (c: ApiContext): Promise<Response> => {
    if (c.req.method === 'HEAD') return framed(c, deps, () => tell(c, deps, idOf(c)));
    throw new Fault('not_found', `404: ${c.req.path} is asked with HEAD; the upload is the job ${idOf(c)}.`);
  };
  const summaries = {
    head: 'Where to go on',
    patch: 'Send bytes from an offset on',
    delete: 'End an upload',
  } as const;
  mount(
    app,
    {
      ...one,
      method: 'head',
      summary: summaries.head,
      answers: { 200: { description: 'Upload-Offset, Upload-Length, Upload-Expires' } },
      refusals: [404, 410, 412],
    },
    ask,
  );
  mount(
    app,
    {
      ...one,
      method: 'patch',
      summary: summaries.patch,
      answers,
      refusals: [404, 409, 410, 412, 413, 415, 423, 503, 507],
    },
    (c) => framed(c, deps, () => take(c, deps, idOf(c))),
  );
  mount(
    app,
    { ...one, method: 'delete', summary: summaries.delete, answers, refusals: [404, 409, 410, 412, 503] },
    (c) => framed(c, deps, () => end(c, deps, idOf(c))),
  );
  // For clients whose way lets only GET and POST through.
  app.post('/files/:id', (c) => overridden(c, deps));
  app.on('OPTIONS', [PATH, '/files/:id'], (c) => discovery(c, deps));
}

const idOf = (c: ApiContext): string => c.req.param('id') ?? '';

function overridden(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const method = c.req.header('x-http-method-override')?.toUpperCase();
  const handlers = { HEAD: tell, PATCH: take, DELETE: end } as const;
  if (method !== 'HEAD' && method !== 'PATCH' && method !== 'DELETE') {
    throw new Fault('not_found', `404: there is no POST ${c.req.path}`);
  }
  return framed(c, deps, () => handlers[method](c, deps, idOf(c)));
}

function discovery(c: ApiContext, deps: ApiDeps): Response {
  return c.body(null, 204, {
    'tus-resumable': VERSION,
    'tus-version': VERSION,
    'tus-extension': EXTENSIONS.join(','),
    'tus-max-size': `${deps.config.limits.fileBytes}`,
    'tus-checksum-algorithm': ALGORITHMS.join(','),
  });
}

/** Every answer says the version; errors too. */
async function framed(c: ApiContext, deps: ApiDeps, handle: () => Promise<Response>): Promise<Response> {
  let answer: Response;
  try {
    if (c.req.header('tus-resumable') !== VERSION) throw new Fault('unsupported_version');
    answer = await handle();
  } catch (error) {
    deps.log.debug({ err: error, path: c.req.path }, 'a tus request was refused');
    answer = problemResponse(error, c);
    if (answer.status === 412) answer.headers.set('tus-version', VERSION);
    if (answer.status === 413) answer.headers.set('tus-max-size', `${deps.config.limits.fileBytes}`);
  }
  answer.headers.set('tus-resumable', VERSION);
  return answer;
}
