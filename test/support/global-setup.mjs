// Starts one Temporal and one MongoDB for the whole run, bundles the workflows once, and tells the tests by variables.
// Plain JavaScript over the build (npm test makes it first): jest loads this file without its module resolution.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTools, toolVariables } from '../../scripts/bootstrap.mjs';
import { must, ROOT } from '../../scripts/run.mjs';

/** SLUICE_TEST_SERVERS=none: for tests that need no servers (npm run check). */
export default async function globalSetup() {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  const servers = process.env.SLUICE_TEST_SERVERS === 'none' ? [] : startServers(directory);
  const [daemons] = await Promise.all([servers, bundle(join(directory, 'workflows.bundle.js'))]);
  // The teardown runs in this same process.
  globalThis.sluiceTestServers = { directory, daemons };
}

async function startServers(directory) {
  const { startMongo } = await import('../../dist/src/embedded/mongo.js');
  const { startTemporal } = await import('../../dist/src/embedded/temporal.js');
  const tools = await ensureTools();
  const place = (name, program) => ({
    program,
    directory: join(directory, name),
    logFile: join(directory, `${name}.log`),
    port: 0,
  });
  const [temporal, mongo] = await Promise.all([
    startTemporal({ ...place('temporal', tools.temporal), namespace: 'default', uiPort: 0 }),
    startMongo(place('mongo', tools.mongod)),
  ]);
  Object.assign(process.env, {
    SLUICE_TEST_TEMPORAL: temporal.address,
    SLUICE_TEST_TEMPORAL_UI: temporal.uiUrl,
    SLUICE_TEST_MONGO: mongo.url,
    ...toolVariables(tools),
  });
  return [temporal.daemon, mongo.daemon];
}

async function bundle(target) {
  await must(process.execPath, [join(ROOT, 'scripts', 'bundle-workflows.mjs'), target], { capture: true });
  process.env.SLUICE_TEST_BUNDLE = target;
}
