// Bench upload: a large file through every door, beside a bare pipe, a bare form parser and @tus/server to the same disk.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { childEnvironment, PROJECT_ROOT } from '../src/config/env.js';
import { ownArguments } from '../src/config/own-process.js';
import { claimPort } from '../src/embedded/ports.js';
import type { Daemon } from '../src/process/daemon.js';
import { type BenchOptions, type Findings, packageVersions, peakMemory } from './harness.js';
import { type Form, sendForm } from './send.js';
import { sendChunks } from './send-chunks.js';
import { sendBody, sendTus } from './send-raw.js';
import { answering, type Stack, startNode, withStack } from './stack.js';
import { compare, figure, growthOver, interleave } from './stats.js';

const RUNS = 7;
const DEFAULT_MIB = 1024;
/** A body this large shows that memory does not grow, instead. */
const FLAT_ABOVE_MIB = 4096;
const SMALL_MIB = 1024;
const API_LIMIT_MB = 200;

export async function upload({ runs = RUNS, size = DEFAULT_MIB, say }: BenchOptions): Promise<Findings> {
  return await withStack(say, async (stack) => {
    // What happens to the bytes afterwards is another matter: without a worker they stay where they were received.
    await stack.worker.stop(20_000);
    const pipe = await startReceiver(stack, 'pipe');
    const busboy = await startReceiver(stack, 'busboy');
    const tus = await startReceiver(stack, 'tus');
    const [chunks8, chunks64] = [await startChunkApi(stack, 8), await startChunkApi(stack, 64)];
    const peers = { pipe, busboy, tus, chunks8, chunks64 };
    try {
      return size > FLAT_ABOVE_MIB
        ? await flatness(stack, peers, { size, say })
        : await measure(stack, peers, { rounds: runs, size, say });
    } finally {
      await Promise.all(Object.values(peers).map(({ daemon }) => daemon.stop(5_000)));
    }
  });
}

interface Receiver {
  readonly port: number;
  readonly daemon: Daemon;
}

/** `chunks…`: an API of ours whose chunks have so many MiB. */
type Peers = Readonly<Record<'pipe' | 'busboy' | 'tus' | 'chunks8' | 'chunks64', Receiver>>;

/** Chunk sizes of tus, MiB. */
const TUS_MIB = [1, 8, 64] as const;
/** Of the chunk routes, MiB. */
const CHUNK_MIB = [8, 64] as const;

function contestants(stack: Stack, peers: Peers, size: number) {
  const bytes = size * 2 ** 20;
  const speed = (send: () => Promise<number>) => async (): Promise<number> => {
    const ms = await send();
    await clean(stack);
    return size / (ms / 1000);
  };
  const form = (port: number, path: string, fields: Form['fields']) =>
    speed(async () => {
      const sent = await sendForm(port, path, { fields, fileName: 'data.bin', content: bytes });
      if (sent.status >= 300) throw new Error(`${path} answered ${sent.status}: ${sent.body}`);
      return sent.ms;
    });
  const body = (port: number, path: string, method: string) =>
    speed(() => sendBody(port, { method, path, headers: {} }, bytes));
  const tus = (port: number, mib: number) =>
    speed(() => sendTus(port, { ...NATIVE, filename: 'data.bin' }, bytes, mib * 2 ** 20));
  const chunks = ({ port }: Receiver, mib: number) =>
    speed(() => sendChunks(port, COMPAT, bytes, mib * 2 ** 20));
  const query = new URLSearchParams(NATIVE).toString();
  const { api } = stack;
  return {
    native: form(api.port, '/api/v1/uploads', NATIVE),
    compat: form(api.port, '/api/upload/local/upload', COMPAT),
    put: body(api.port, `/api/v1/files/data.bin?${query}`, 'PUT'),
    'tus 1': tus(api.port, 1),
    'tus 8': tus(api.port, 8),
    'tus 64': tus(api.port, 64),
    'chunks 8': chunks(peers.chunks8, 8),
    'chunks 64': chunks(peers.chunks64, 64),
    pipe: form(peers.pipe.port, '/', NATIVE),
    'pipe body': body(peers.pipe.port, '/', 'POST'),
    'pipe hashed': body(peers.pipe.port, '/hashed', 'POST'),
    busboy: form(peers.busboy.port, '/', NATIVE),
    'peer 1': tus(peers.tus.port, 1),
    'peer 8': tus(peers.tus.port, 8),
    'peer 64': tus(peers.tus.port, 64),
  };
}

async function measure(
  stack: Stack,
  peers: Peers,
  { rounds, size, say }: { rounds: number; size: number; say: (text: string) => void },
): Promise<Findings> {
  const speeds = await interleave(rounds, contestants(stack, peers, size), (round) => say(`round ${round}`));
  const beside = (what: string, ours: number[], peer: string, theirs: number[]) =>
    compare({ what, peer, unit: 'MiB/s', better: 'higher' }, ours, theirs);
  const { native, compat, put, pipe, busboy } = speeds;
  const memory = async (what: string, { pid }: Daemon, limit?: number) =>
    figure(`${what}: peak memory`, 'MB', [await peakMemory(pid)], limit);
  return {
    comparisons: [
      beside('PUT /api/v1/files, hashed', put, 'a bare pipe to disk, hashed', speeds['pipe hashed']),
      beside('PUT /api/v1/files, hashed', put, 'a bare pipe to disk', speeds['pipe body']),
      ...TUS_MIB.map((mib) =>
        beside(
          `tus by ${mib} MiB, hashed`,
          speeds[`tus ${mib}`],
          '@tus/server FileStore',
          speeds[`peer ${mib}`],
        ),
      ),
      ...CHUNK_MIB.map((mib) =>
        beside(
          `chunks of ${mib} MiB, 4 at once, each and the whole hashed`,
          speeds[`chunks ${mib}`],
          'a bare pipe to disk, hashed once',
          speeds['pipe hashed'],
        ),
      ),
      beside('POST /api/v1/uploads', native, 'a bare pipe to disk', pipe),
      beside('POST /api/v1/uploads', native, 'bare busboy to disk', busboy),
      beside('POST /api/upload/local/upload', compat, 'a bare pipe to disk', pipe),
      beside('POST /api/upload/local/upload', compat, 'bare busboy to disk', busboy),
    ],
    figures: [
      await memory(`API, files of ${size} MiB`, stack.api.daemon, API_LIMIT_MB),
      await memory('API, chunks of 8 MiB', peers.chunks8.daemon, API_LIMIT_MB),
      await memory('API, chunks of 64 MiB', peers.chunks64.daemon, API_LIMIT_MB),
      await memory('bare pipe', peers.pipe.daemon),
      await memory('bare busboy', peers.busboy.daemon),
      await memory('@tus/server', peers.tus.daemon),
    ],
    notes: [
      `One file of ${size} MiB over a loopback socket, the same sender and the same bytes for all; to the answer's last byte.`,
      'fsync counts on neither side. Ours answers after its rows are in MongoDB (majority, journaled) and the workflow is told;',
      'by PUT, tus and chunks also after the SHA-256 of the whole file is known. The peers hash nothing but for the pipe that says so; @tus/server locks in memory.',
    ],
    versions: {
      ...stack.versions,
      ...packageVersions('@fastify/busboy', 'hono', '@hono/node-server', '@tus/server', '@tus/file-store'),
    },
  };
}

/** Memory after files of 1 GiB and after much larger ones, by one door after the other. */
async function flatness(
  stack: Stack,
  peers: Peers,
  { size, say }: { size: number; say: (text: string) => void },
): Promise<Findings> {
  const servers = { API: stack.api.daemon.pid, 'API of chunks': peers.chunks64.daemon.pid };
  const peaks: Record<keyof typeof servers, number>[] = [];
  for (const mib of [SMALL_MIB, size]) {
    const doors = contestants(stack, peers, mib);
    for (const door of ['native', 'put', 'tus 8', 'chunks 64'] as const) {
      await doors[door]();
      say(`${door}: ${mib} MiB`);
    }
    const [API, chunks] = [await peakMemory(servers.API), await peakMemory(servers['API of chunks'])];
    peaks.push({ API, 'API of chunks': chunks });
  }
  const [small = { API: 0, 'API of chunks': 0 }, large = small] = peaks;
  const growth = (name: keyof typeof servers): number =>
    growthOver(small[name], large[name], size - SMALL_MIB);
  return {
    comparisons: [],
    figures: (['API', 'API of chunks'] as const).flatMap((name) => [
      figure(`${name}: peak memory after files of ${SMALL_MIB} MiB`, 'MB', [small[name]], API_LIMIT_MB),
      figure(`${name}: peak memory after files of ${size} MiB`, 'MB', [large[name]], API_LIMIT_MB),
      figure(`${name}: growth of memory over size`, '%', [growth(name)], 1),
    ]),
    notes: [
      'One file of each size by form, PUT and tus (parts of 8 MiB), and by chunks of 64 MiB, all hashed.',
    ],
    versions: stack.versions,
  };
}

/** Keeps the disk small, and what one run left in the page cache from being written during the next. */
async function clean({ config, home }: Stack): Promise<void> {
  await rm(join(config.dirs.in, '.staging'), { recursive: true, force: true });
  await rm(join(home, 'peer'), { recursive: true, force: true });
  await mkdir(join(home, 'peer'));
}

/** The size of chunks is a setting of the server, so each size has one of its own. */
async function startChunkApi({ home, temporalAddress, mongoUrl }: Stack, mib: number): Promise<Receiver> {
  const port = await claimPort(0, 'PORT');
  const env = childEnvironment({
    SLUICE_HOME: home,
    TEMPORAL_ADDRESS: temporalAddress,
    MONGO_URL: mongoUrl,
    SLUICE_CHUNK_BYTES: String(mib * 2 ** 20),
    PORT: String(port),
    NODE_OPTIONS: '',
  });
  const daemon = startNode(home, `api-chunks-${mib}`, ownArguments('api'), env);
  await answering(`http://127.0.0.1:${port}/healthz`, [daemon]);
  return { port, daemon };
}

async function startReceiver({ home }: Stack, name: string): Promise<Receiver> {
  const port = await claimPort(0, 'PORT');
  const directory = join(home, 'peer');
  await mkdir(directory, { recursive: true });
  const main = join(PROJECT_ROOT, 'dist', 'bench', 'main.js');
  const env = childEnvironment({ NODE_OPTIONS: '' });
  const daemon = startNode(home, name, [main, '--peer', name, String(port), directory], env);
  await answering(`http://127.0.0.1:${port}/`, [daemon]);
  return { port, daemon };
}

const SHARED = { user_email: 'ada@example.org', sensor: 'OTHER', convert: 'false' };
const NATIVE = { ...SHARED, name: 'a bench' };
const COMPAT = { ...SHARED, dataset_name: 'a bench', is_public: 'false' };
