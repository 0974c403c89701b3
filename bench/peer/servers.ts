// Peers that are servers, each in a process of its own: a bare pipe, a bare form parser, a bare look-up.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { Busboy } from '@fastify/busboy';
import { giveFile, slowLine } from './web.js';

/** Runs a peer until it is told to stop. @param rest its port, and what it needs */
export async function runPeer(name: string, [port = '0', ...rest]: readonly string[]): Promise<number> {
  const run = PEERS[name];
  if (run === undefined) return 2;
  await run(Number(port), rest);
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  process.exit(0);
}

const PEERS: Readonly<Record<string, (port: number, rest: readonly string[]) => Promise<void>>> = {
  pipe: (port, rest) => receive(port, rest, pipeToDisk),
  busboy: (port, rest) => receive(port, rest, parseToDisk),
  file: giveFile,
  line: slowLine,
  fetcher: async (port, rest) => await (await import('./fetcher.js')).fetcher(port, rest),
  // The store that its authors ship, with the options that they document; it hashes nothing and locks in memory.
  tus: async (port, [directory = '']) => {
    const [{ Server }, { FileStore }] = await Promise.all([import('@tus/server'), import('@tus/file-store')]);
    const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) });
    const server = createServer((request, response) => {
      if (request.method === 'GET') response.end('ready');
      else void tus.handle(request, response);
    });
    server.requestTimeout = 0;
    await once(server.listen(port, '127.0.0.1'), 'listening');
  },
  status: async (port, [url = '', db = '']) => {
    const [{ serve }, { Hono }, { MongoClient }] = await Promise.all([
      import('@hono/node-server'),
      import('hono'),
      import('mongodb'),
    ]);
    const jobs = new MongoClient(url).db(db).collection<{ job_id: string }>('jobs');
    const app = new Hono();
    app.get('/', (c) => c.text('ready'));
    app.get('/jobs/:id', async (c) => c.json(await jobs.findOne({ job_id: c.req.param('id') })));
    await once(serve({ fetch: app.fetch, hostname: '127.0.0.1', port }), 'listening');
  },
};

type Take = (request: IncomingMessage, path: string) => Promise<void>;

async function receive(port: number, [directory = '']: readonly string[], take: Take): Promise<void> {
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.end('ready');
      return;
    }
    take(request, join(directory, 'received')).then(
      () => response.end('{}'),
      () => response.writeHead(500).end(),
    );
  });
  server.requestTimeout = 0;
  await once(server.listen(port, '127.0.0.1'), 'listening');
}

/** As much as our own receiving may hold back, so that the peers write in pieces as large as ours. */
const open = (path: string) => createWriteStream(path, { highWaterMark: 1024 * 1024 });

/** At `/hashed` with a digest, as a plain program makes it: of each piece as it comes. */
const pipeToDisk: Take = async (request, path) => {
  const hash = createHash('sha256');
  if (request.url === '/hashed') request.on('data', (chunk: Buffer) => hash.update(chunk));
  await pipeline(request, open(path));
  hash.digest('hex');
};

const parseToDisk: Take = async (request, path) => {
  const form = new Busboy({
    headers: { ...request.headers, 'content-type': request.headers['content-type'] ?? '' },
  });
  const written: Promise<void>[] = [];
  form.on('file', (_part, stream) => written.push(pipeline(stream, open(path))));
  request.pipe(form);
  await finished(form);
  await Promise.all(written);
};
