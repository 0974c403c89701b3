// The activity fetchSource in a process of its own, as a worker runs it: POST / with an Ask answers when the delivery is done.
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createFetchActivities } from '../../src/activities/fetch/index.js';
import type { FetchOutput } from '../../src/contracts/activities.js';
import type { Source } from '../../src/domain/source.js';
import { openSshDirectory } from '../../src/secrets/ssh-directory.js';
import { openVault } from '../../src/secrets/vault.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-333333333333';

/** What the fetcher is told: a source, and what would lie sealed for it. */
export interface Ask {
  readonly source: Source;
  readonly secret?: object;
}

/** What the fetcher answers. */
export interface Fetched {
  readonly ms: number;
  readonly output: FetchOutput;
}

export async function fetcher(port: number, [directory = '', program]: readonly string[]): Promise<void> {
  const roots = { in: join(directory, 'in'), out: join(directory, 'out') };
  mkdirSync(roots.in, { recursive: true });
  const secrets = openVault(join(directory, 'home'), roots);
  const { fetchSource } = createFetchActivities({
    roots,
    localRoots: [join(directory, 'data')],
    ...(program === undefined
      ? {}
      : { rclone: { command: program, config: join(directory, 'rclone.conf') } }),
    ssh: openSshDirectory(join(directory, 'ssh')),
    urlAllow: ['127.0.0.0/8'],
    secrets,
    progress: { report: () => undefined },
  });
  let count = 0;
  const fetchOne = async ({ source, secret }: Ask): Promise<Fetched> => {
    count += 1;
    const env = new MockActivityEnvironment(
      { attempt: 1, currentAttemptScheduledTimestampMs: count },
      { logger: new DefaultLogger('ERROR') },
    );
    const jobId = `upload_${count}_0000000a`;
    if (secret !== undefined) await secrets.seal(jobId, secret);
    const order = { jobId, source, seal: true, by: 'ada@example.org' };
    const start = performance.now();
    const output = (await env.run(fetchSource, { uuid: UUID, jobId, order })) as FetchOutput;
    return { ms: performance.now() - start, output };
  };
  const server = createServer((request, response) => {
    if (request.method !== 'POST') return void response.end('ready');
    text(request)
      .then((body) => fetchOne(JSON.parse(body) as Ask))
      .then(
        (fetched) => response.end(JSON.stringify(fetched)),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
  });
  server.requestTimeout = 0;
  await once(server.listen(port, '127.0.0.1'), 'listening');
}
