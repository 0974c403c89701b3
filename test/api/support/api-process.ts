// Another API on the data of a harness: the build, as a process of its own, as it runs behind a balancer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { ownArguments } from '../../../src/config/own-process.js';
import { claimPort } from '../../../src/embedded/ports.js';
import type { Harness } from './harness.js';
import { eventually } from './http.js';

export interface ApiProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** With the settings of the harness that tests of limits need; others have their defaults. */
export async function startApiProcess({ config }: Harness): Promise<ApiProcess> {
  const port = await claimPort(0, 'PORT');
  const log = openSync(join(config.home, 'second-api.log'), 'a');
  const child = spawn(process.execPath, ownArguments('api'), {
    cwd: config.home,
    env: {
      PATH: process.env['PATH'],
      SLUICE_HOME: config.home,
      PORT: String(port),
      TEMPORAL_ADDRESS: config.temporal.address,
      TEMPORAL_NAMESPACE: config.temporal.namespace,
      MONGO_URL: config.mongo.url,
      DB_NAME: config.mongo.db,
      JOB_IN_DATA_DIR: config.dirs.in,
      JOB_OUT_DATA_DIR: config.dirs.out,
      SLUICE_LOCAL_ROOTS: config.localRoots.join(':'),
      ...(config.urlAllow.length === 0 ? {} : { SLUICE_URL_ALLOW: config.urlAllow.join(',') }),
    },
    stdio: ['ignore', log, log],
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually(answers, (isOk) => isOk);
  return {
    url,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}
