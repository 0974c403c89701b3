// Publish targets of a dataset, changed after it was made.
import { commandAnswerSchema } from '../../contracts/http.js';
import { changeTargetsSchema } from '../../contracts/http-targets.js';
import { changeTargets } from '../change-targets.js';
import type { ApiDeps } from '../deps.js';
import { type App, check, mount, parseJson, readText } from '../route.js';
import { requireDataset, uuidParam } from './datasets.js';

export function targetRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'post',
      path: '/api/v1/datasets/{uuid}/targets',
      tag: 'datasets',
      summary: 'Add or remove publish targets',
      description:
        'A published product is sent to the added ones by a run of its own. A removed one is only forgotten: its copy stays.',
      params: uuidParam,
      body: { 'application/json': changeTargetsSchema },
      answers: {
        200: { description: 'Done; a run may be sending now', schema: commandAnswerSchema },
        202: { description: 'Accepted; it takes effect when a worker runs', schema: commandAnswerSchema },
      },
      refusals: [404, 409, 422, 503],
    },
    async (c) => {
      const body = check(changeTargetsSchema, parseJson(await readText(c)), 'body');
      const { status, answer } = await changeTargets(deps, await requireDataset(c, deps), body);
      return c.json(answer, status);
    },
  );
}
