// Bench status: how fast a job's status is answered, beside a bare Hono route with one findOne on the same database.
import { join } from 'node:path';
import { Pool } from 'undici';
import { childEnvironment, PROJECT_ROOT } from '../src/config/env.js';
import { claimPort } from '../src/embedded/ports.js';
import type { Daemon } from '../src/process/daemon.js';
import { type BenchOptions, type Findings, packageVersions, peakMemory } from './harness.js';
import { sendForm } from './send.js';
import { answering, type Stack, startNode, withStack } from './stack.js';
import { compare, figure, interleave, quantile } from './stats.js';

const RUNS = 7;
const RUN_MS = 2_000;
const AT_ONCE = 16;

export async function status({ runs = RUNS, say }: BenchOptions): Promise<Findings> {
  return await withStack(say, async (stack) => {
    const job = await finishedJob(stack);
    await stack.worker.stop(20_000);
    const peer = await startPeer(stack);
    try {
      return await measure(stack, peer, job, runs);
    } finally {
      await peer.daemon.stop(5_000);
    }
  });
}

interface Peer {
  readonly url: string;
  readonly daemon: Daemon;
}

async function measure(stack: Stack, peer: Peer, job: string, runs: number): Promise<Findings> {
  const late: Record<'compat' | 'native' | 'bare', number[]> = { compat: [], native: [], bare: [] };
  const load = (name: keyof typeof late, origin: string, path: string) => async () => {
    const { perSecond, p99 } = await ask(origin, path);
    late[name].push(p99);
    return perSecond;
  };
  const { compat, native, bare } = await interleave(runs, {
    compat: load('compat', stack.api.url, `/api/upload/status/${job}`),
    native: load('native', stack.api.url, `/api/v1/jobs/${job}`),
    bare: load('bare', peer.url, `/jobs/${job}`),
  });
  const words = { peer: 'bare Hono and one findOne', unit: '1/s', better: 'higher' } as const;
  return {
    comparisons: [
      compare({ ...words, what: 'GET /api/upload/status/{id}' }, compat, bare),
      compare({ ...words, what: 'GET /api/v1/jobs/{id}' }, native, bare),
    ],
    figures: [
      figure('GET /api/upload/status/{id}: 99 % within', 'ms', late.compat.slice(-runs)),
      figure('GET /api/v1/jobs/{id}: 99 % within', 'ms', late.native.slice(-runs)),
      figure('bare: 99 % within', 'ms', late.bare.slice(-runs)),
      figure('API: peak memory', 'MB', [await peakMemory(stack.api.daemon.pid)]),
    ],
    notes: [
      `${AT_ONCE} requests under way all the time for ${RUN_MS / 1000} s a run; client, server and database share the cores.`,
      'Ours reads two rows, the job and its dataset, and works out the progress over all stages; the peer reads one row and prints it.',
    ],
    versions: { ...stack.versions, ...packageVersions('hono', '@hono/node-server', 'mongodb', 'undici') },
  };
}

/** Asks again and again. @throws Error when an answer is not 200 */
async function ask(origin: string, path: string): Promise<{ perSecond: number; p99: number }> {
  const pool = new Pool(origin, { connections: AT_ONCE });
  const times: number[] = [];
  const end = performance.now() + RUN_MS;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const start = performance.now();
      const { statusCode, body } = await pool.request({ method: 'GET', path });
      await body.arrayBuffer();
      if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}`);
      times.push(performance.now() - start);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  } finally {
    await pool.close();
  }
  times.sort((a, b) => a - b);
  return { perSecond: times.length / (RUN_MS / 1000), p99: quantile(times, 0.99) };
}

/** A job as it is when everything is published. */
async function finishedJob({ api, store }: Stack): Promise<string> {
  const fields = { user_email: 'ada@example.org', sensor: 'OTHER', convert: 'false', name: 'a bench' };
  const form = { fields, fileName: 'data.bin', content: 1_000_000 };
  const { status: code, body } = await sendForm(api.port, '/api/v1/uploads', form);
  if (code >= 300) throw new Error(`the upload was answered ${code}: ${body}`);
  const { job_id: job } = JSON.parse(body) as { job_id: string };
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    const row = await store.jobs.findOne({ job_id: job });
    if (row?.status === 'completed') return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the upload was not published within 30 s');
}

async function startPeer({ home, mongoUrl, config }: Stack): Promise<Peer> {
  const port = await claimPort(0, 'PORT');
  const main = join(PROJECT_ROOT, 'dist', 'bench', 'main.js');
  const args = [main, '--peer', 'status', String(port), mongoUrl, config.mongo.db];
  const daemon = startNode(home, 'peer', args, childEnvironment({ NODE_OPTIONS: '' }));
  const url = `http://127.0.0.1:${port}`;
  await answering(`${url}/`, [daemon]);
  return { url, daemon };
}
