// Limits: what is set, what holds for an owner, and changing them while work goes on.
import { z } from 'zod';
import {
  changeBandwidthSchema,
  changeOwnerLimitsSchema,
  type LimitResource,
  limitListSchema,
  limitSchema,
  ownerLimitsSchema,
} from '../../contracts/http-limits.js';
import { Fault } from '../../domain/fault.js';
import { isJobId } from '../../domain/ids.js';
import { jobScope, type LimitScope, type LimitValues, ownerScope } from '../../domain/limits.js';
import { findJob } from '../../store/jobs.js';
import { changeLimits, listLimits, readLimits } from '../../store/limits.js';
import { countUsage } from '../../store/usage.js';
import { limitsOf } from '../allowance.js';
import type { ApiDeps } from '../deps.js';
import { type ApiContext, type App, check, mount, parseJson, readText } from '../route.js';

const tag = 'limits';
const base = '/api/v1/limits';
const ownerParam = z.object({ owner: z.string().min(1).max(254) });

export function limitRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: base,
      tag,
      summary: 'The limits that are set',
      answers: { 200: { description: 'All of them', schema: limitListSchema } },
      refusals: [503],
    },
    async (c) => {
      const limits = (await listLimits(deps.store)).map(({ _id, values }) => limitView(_id, values));
      return c.json({ settings: deps.config.owners ?? {}, limits });
    },
  );
  mount(
    app,
    {
      method: 'get',
      path: `${base}/owners/{owner}`,
      tag,
      summary: 'What an owner may have, and what it has',
      params: ownerParam,
      answers: { 200: { description: 'Limits and use', schema: ownerLimitsSchema } },
      refusals: [422, 503],
    },
    (c) => showOwner(c, deps),
  );
  changeRoutes(app, deps);
}

function changeRoutes(app: App, deps: ApiDeps): void {
  const put = (
    path: string,
    summary: string,
    { params, body }: { params?: z.ZodObject; body: z.ZodObject },
    scopeOf: (c: ApiContext) => LimitScope | Promise<LimitScope>,
  ): void =>
    mount(
      app,
      {
        method: 'put',
        path: `${base}/${path}`,
        tag,
        summary,
        description: 'It holds for running work within about a second.',
        ...(params === undefined ? {} : { params }),
        body: { 'application/json': body },
        answers: { 200: { description: 'What is set now', schema: limitSchema } },
        refusals: [404, 415, 422, 503],
      },
      async (c) => {
        const { by = 'API', ...change } = check(body, parseJson(await readText(c)), 'body');
        const scope = await scopeOf(c);
        const values = await changeLimits(
          deps.store,
          scope,
          change as Record<string, number | null>,
          String(by),
        );
        deps.bandwidth.changed();
        return c.json(limitView(scope, values));
      },
    );
  put('global', 'Limit all together', { body: changeBandwidthSchema }, () => 'global');
  put(
    'owners',
    'Limit every owner who has no limits of its own',
    { body: changeOwnerLimitsSchema },
    () => 'owners',
  );
  put('owners/{owner}', 'Limit an owner', { params: ownerParam, body: changeOwnerLimitsSchema }, (c) =>
    ownerScope(requireOwner(c)),
  );
  const jobParam = z.object({ job_id: z.string() });
  put('jobs/{job_id}', 'Limit a job', { params: jobParam, body: changeBandwidthSchema }, (c) =>
    requireJob(c, deps),
  );
}

async function showOwner(c: ApiContext, deps: ApiDeps): Promise<Response> {
  const owner = requireOwner(c);
  const scope = ownerScope(owner);
  const [limits, set, use] = await Promise.all([
    limitsOf(deps, owner),
    readLimits(deps.store, [scope]),
    countUsage(deps.store, owner),
  ]);
  return c.json({ owner, limits, set: set.get(scope) ?? {}, use });
}

function limitView(id: LimitScope, values: LimitValues): LimitResource {
  const [scope = '', ...rest] = id.split(':');
  return { scope: scope as LimitResource['scope'], name: rest.length === 0 ? null : rest.join(':'), values };
}

/** @throws InvalidRequest */
const requireOwner = (c: ApiContext): string =>
  check(ownerParam, { owner: c.req.param('owner') }, 'path').owner;

async function requireJob(c: ApiContext, { store }: ApiDeps): Promise<LimitScope> {
  const id = c.req.param('job_id') ?? '';
  if (!isJobId(id) || (await findJob(store, id)) === null) {
    throw new Fault('not_found', 'There is no job with this id.');
  }
  return jobScope(id);
}
