// Bench upload: a large form through our two upload routes, beside a bare pipe and a bare form parser to the same disk.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { childEnvironment, PROJECT_ROOT } from '../src/config/env.js';
import { claimPort } from '../src/embedded/ports.js';
import type { Daemon } from '../src/process/daemon.js';
import { type BenchOptions, type Findings, packageVersions, peakMemory } from './harness.js';
import { type Form, sendForm } from './send.js';
import { answering, type Stack, startNode, withStack } from './stack.js';
import { compare, figure, interleave } from './stats.js';

const RUNS = 7;
const DEFAULT_MIB = 1024;
/** A body this large is sent once: it is there to show that memory does not grow. */
const ONCE_ABOVE_MIB = 2048;
const API_LIMIT_MB = 200;

export async function upload({ runs, size = DEFAULT_MIB, say }: BenchOptions): Promise<Findings> {
  const rounds = runs ?? (size > ONCE_ABOVE_MIB ? 1 : RUNS);
  return await withStack(say, async (stack) => {
    // What happens to the bytes afterwards is another matter: without a worker they stay where they were received.
    await stack.worker.stop(20_000);
    const pipe = await startReceiver(stack, 'pipe');
    const busboy = await startReceiver(stack, 'busboy');
    try {
      return await measure(stack, { pipe, busboy }, { rounds, size, say });
    } finally {
      await Promise.all([pipe.daemon.stop(5_000), busboy.daemon.stop(5_000)]);
    }
  });
}

interface Receiver {
  readonly port: number;
  readonly daemon: Daemon;
}

async function measure(
  stack: Stack,
  peers: { pipe: Receiver; busboy: Receiver },
  { rounds, size, say }: { rounds: number; size: number; say: (text: string) => void },
): Promise<Findings> {
  const to = (port: number, path: string, fields: Form['fields']) => async () => {
    const content = size * 2 ** 20;
    const { ms, status, body } = await sendForm(port, path, { fields, fileName: 'data.bin', content });
    if (status >= 300) throw new Error(`${path} answered ${status}: ${body}`);
    await clean(stack);
    return size / (ms / 1000);
  };
  const speeds = await interleave(
    rounds,
    {
      native: to(stack.api.port, '/api/v1/uploads', NATIVE),
      compat: to(stack.api.port, '/api/upload/local/upload', COMPAT),
      pipe: to(peers.pipe.port, '/', NATIVE),
      busboy: to(peers.busboy.port, '/', NATIVE),
    },
    (round) => say(`round ${round}`),
  );
  const beside = (what: string, ours: number[], peer: string, theirs: number[]) =>
    compare({ what, peer, unit: 'MiB/s', better: 'higher' }, ours, theirs);
  const { native, compat, pipe, busboy } = speeds;
  const memory = (pid: number) => peakMemory(pid).then((mb) => [mb]);
  return {
    comparisons: [
      beside('POST /api/v1/uploads', native, 'a bare pipe to disk', pipe),
      beside('POST /api/v1/uploads', native, 'bare busboy to disk', busboy),
      beside('POST /api/upload/local/upload', compat, 'a bare pipe to disk', pipe),
      beside('POST /api/upload/local/upload', compat, 'bare busboy to disk', busboy),
    ],
    figures: [
      figure(
        `API: peak memory, forms of ${size} MiB`,
        'MB',
        await memory(stack.api.daemon.pid),
        API_LIMIT_MB,
      ),
      figure('bare pipe: peak memory', 'MB', await memory(peers.pipe.daemon.pid)),
      figure('bare busboy: peak memory', 'MB', await memory(peers.busboy.daemon.pid)),
    ],
    notes: [
      `One file of ${size} MiB in a form over a loopback socket, the same sender and the same bytes for all; to the answer's last byte.`,
      'fsync counts on neither side. Ours answers after its rows are in MongoDB (majority, journaled) and the workflow is started.',
    ],
    versions: { ...stack.versions, ...packageVersions('@fastify/busboy', 'hono', '@hono/node-server') },
  };
}

/** Keeps the disk small, and what one run left in the page cache from being written during the next. */
async function clean({ config, home }: Stack): Promise<void> {
  await rm(join(config.dirs.in, '.staging'), { recursive: true, force: true });
  await rm(join(home, 'peer'), { recursive: true, force: true });
  await mkdir(join(home, 'peer'));
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
