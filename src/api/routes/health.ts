// Whether this process lives, and whether everything it needs does.
import { z } from 'zod';
import { readySchema } from '../../contracts/http.js';
import type { ApiDeps } from '../deps.js';
import { requireStore } from '../intake.js';
import { servedQueues } from '../queues.js';
import { type App, mount } from '../route.js';

export function healthRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/healthz',
      tag: 'health',
      summary: 'This process answers',
      answers: { 200: { description: 'Alive', schema: z.object({ status: z.literal('ok') }) } },
    },
    (c) => c.json({ status: 'ok' }),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/readyz',
      tag: 'health',
      summary: 'Database and Temporal answer, and every task queue has a worker',
      answers: {
        200: { description: 'Ready', schema: readySchema },
        503: { description: 'Not ready', schema: readySchema },
      },
    },
    async (c) => {
      const [database, temporal, queues] = await Promise.all([
        requireStore(deps).then(
          () => true,
          () => false,
        ),
        deps.engine.reachable(),
        servedQueues(deps),
      ]);
      const worker = Object.values(queues).every(Boolean);
      const ready = database && temporal && worker;
      const answer = { ready, checks: { database, temporal, worker, queues } };
      return ready ? c.json(answer, 200) : c.json(answer, 503, { 'retry-after': '2' });
    },
  );
}
