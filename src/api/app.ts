// The API as one app: guards, routes, and one place where errors become answers.
import { OpenAPIHono } from '@hono/zod-openapi';
import { SLUICE_VERSION } from '../contracts/version.js';
import { Fault } from '../domain/fault.js';
import { compatJobRoutes } from './compat/jobs.js';
import { largeRoutes } from './compat/large/routes.js';
import { compatLimitRoutes } from './compat/limits.js';
import { compatUploadRoutes } from './compat/upload.js';
import type { ApiDeps, ApiEnv } from './deps.js';
import { loopbackOnly } from './middleware/guards.js';
import { problemResponse, toFault } from './problem.js';
import type { App } from './route.js';
import { datasetFileRoutes } from './routes/dataset-files.js';
import { datasetRoutes } from './routes/datasets.js';
import { docsRoutes } from './routes/docs.js';
import { eventRoutes } from './routes/events.js';
import { healthRoutes } from './routes/health.js';
import { jobRoutes } from './routes/jobs.js';
import { limitRoutes } from './routes/limits.js';
import { putRoutes } from './routes/put.js';
import { sensorRoutes } from './routes/sensors.js';
import { targetRoutes } from './routes/targets.js';
import { uploadRoutes } from './routes/uploads.js';
import { verifyRoutes } from './routes/verify.js';
import { tusRoutes } from './tus/routes.js';

/** `redoc` is for older clients, which print it. */
const HOME = {
  message: 'Sluice',
  version: SLUICE_VERSION,
  docs: '/docs',
  redoc: '/docs',
  openapi: '/openapi.json',
};

export function createApp(deps: ApiDeps): App {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(loopbackOnly);
  healthRoutes(app, deps);
  datasetRoutes(app, deps);
  datasetFileRoutes(app, deps);
  verifyRoutes(app, deps);
  targetRoutes(app, deps);
  uploadRoutes(app, deps);
  jobRoutes(app, deps);
  eventRoutes(app, deps);
  limitRoutes(app, deps);
  sensorRoutes(app);
  compatUploadRoutes(app, deps);
  compatJobRoutes(app, deps);
  compatLimitRoutes(app, deps);
  putRoutes(app, deps);
  largeRoutes(app, deps);
  tusRoutes(app, deps);
  docsRoutes(app);
  app.get('/', (c) => c.json(HOME));
  app.notFound((c) =>
    problemResponse(new Fault('not_found', `404: there is no ${c.req.method} ${c.req.path}`), c),
  );
  app.onError((error, c) => {
    const { code } = toFault(error);
    if (code === 'internal') deps.log.error({ err: error, path: c.req.path }, 'a request failed');
    return problemResponse(error, c);
  });
  return app;
}
