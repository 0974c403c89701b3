// Bench transfer-url: a large file from a web server, proven by its digest, beside curl and openssl on the same disk.
import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest } from '../src/bytes/store.js';
import { PROJECT_ROOT } from '../src/config/env.js';
import { claimPort } from '../src/embedded/ports.js';
import { type Daemon, startDaemon } from '../src/process/daemon.js';
import { type BenchOptions, type Findings, packageVersions, peakMemory } from './harness.js';
import { freshHome } from './home.js';
import type { Ask, Fetched } from './peer/fetcher.js';
import { answering, startNode } from './stack.js';
import { compare, figure, interleave, timed } from './stats.js';

const RUNS = 7;
const DEFAULT_MIB = 2048;
const SLOW_MIB = 512;
const SLOW = { delayMs: 50, bytesPerSecond: 50_000_000 };
const WORKER_LIMIT_MB = 400;

export async function transferUrl(options: BenchOptions): Promise<Findings> {
  const home = freshHome();
  const bench = new TransferBench(home);
  try {
    return await bench.compare(options.size ?? DEFAULT_MIB, options);
  } finally {
    await bench.stop();
    await rm(home, { recursive: true, force: true });
  }
}

class TransferBench {
  readonly #home: string;
  readonly #daemons: Daemon[] = [];

  constructor(home: string) {
    this.#home = home;
  }

  async compare(size: number, { runs = RUNS, say }: BenchOptions): Promise<Findings> {
    const near = await this.#web(size);
    const far = await this.#farAway(Math.min(size, SLOW_MIB));
    const fetcher = await this.#fetcher('fetcher');
    const idle = await peakMemory(fetcher.pid);
    const speeds = await interleave(
      runs,
      {
        ours: () => this.#ours(fetcher.port, near, size),
        curl: () => this.#curl(near, size),
        proven: () => this.#proven(near, size),
      },
      (round) => say(`loopback, round ${round}`),
    );
    const slow = Math.min(size, SLOW_MIB);
    const slowSpeeds = await interleave(
      runs,
      { ours: () => this.#ours(fetcher.port, far, slow), curl: () => this.#curl(far, slow) },
      (round) => say(`slow line, round ${round}`),
    );
    const beside = (what: string, peer: string, ours: number[], theirs: number[]) =>
      compare({ what, peer, unit: 'MiB/s', better: 'higher' }, ours, theirs);
    const words = `${SLOW.delayMs} ms away, ${SLOW.bytesPerSecond / 1e6} MB/s a connection, ${slow} MiB`;
    return {
      comparisons: [
        beside(`loopback, ${size} MiB, with digest`, 'curl, then openssl', speeds.ours, speeds.proven),
        beside(`loopback, ${size} MiB, with digest`, 'bare curl, no digest', speeds.ours, speeds.curl),
        beside(words, 'bare curl, no digest', slowSpeeds.ours, slowSpeeds.curl),
      ],
      figures: [
        figure('worker: peak memory', 'MB', [await peakMemory(fetcher.pid)], WORKER_LIMIT_MB),
        figure('worker: memory before the first transfer', 'MB', [idle]),
      ],
      notes: NOTES,
      versions: await this.#versions(),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.stop(5_000)));
  }

  async #ours(port: number, url: string, size: number): Promise<number> {
    const ask: Ask = { source: { kind: 'url', url, sealed: false } };
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(ask) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    const { ms, output } = JSON.parse(text) as Fetched;
    const roots = { in: join(this.#directory, 'in'), out: join(this.#directory, 'out') };
    if (!output.done) throw new Error('it is not done');
    const [file] = (await readManifest(roots, output.delivery.manifest)).files;
    this.#expect(url, file?.sha256 ?? 'none');
    await rm(roots.in, { recursive: true });
    await mkdir(roots.in);
    return size / (ms / 1000);
  }

  async #curl(url: string, size: number): Promise<number> {
    const ms = await timed(() => this.#run('curl', ['-sS', '-f', '-o', this.#file, url]));
    this.#expect(
      url,
      (await this.#run('openssl', ['dgst', '-sha256', '-r', this.#file])).split(' ')[0] ?? '',
    );
    await rm(this.#file);
    return size / (ms / 1000);
  }

  async #proven(url: string, size: number): Promise<number> {
    let digest = '';
    const ms = await timed(async () => {
      await this.#run('curl', ['-sS', '-f', '-o', this.#file, url]);
      digest = await this.#run('openssl', ['dgst', '-sha256', '-r', this.#file]);
    });
    this.#expect(url, digest.split(' ')[0] ?? '');
    await rm(this.#file);
    return size / (ms / 1000);
  }

  readonly #digests = new Map<string, string>();

  /** Ours and openssl's must be one. */
  #expect(url: string, digest: string): void {
    const before = this.#digests.get(url) ?? digest;
    this.#digests.set(url, before);
    if (before !== digest) throw new Error(`two digests of ${url}: ${before}, ${digest}`);
  }

  async #run(command: string, args: readonly string[]): Promise<string> {
    const logFile = join(this.#home, `${command}.log`);
    await rm(logFile, { force: true });
    const daemon = startDaemon({ name: command, command, args, env: {}, logFile });
    const { code } = await daemon.exited;
    const said = readFileSync(logFile, 'utf8');
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`);
    return said;
  }

  async #web(size: number): Promise<string> {
    const { port } = await this.#peer(`web-${size}`, 'file', String(size * 2 ** 20), '/ready');
    return `http://127.0.0.1:${port}/large.bin`;
  }

  async #farAway(size: number): Promise<string> {
    const near = new URL(await this.#web(size));
    const { delayMs, bytesPerSecond } = SLOW;
    const line = [near.port, String(delayMs), String(bytesPerSecond)];
    const { port } = await this.#peer('line', 'line', line, '/ready');
    return `http://127.0.0.1:${port}/large.bin`;
  }

  async #fetcher(name: string): Promise<{ port: number; pid: number }> {
    await mkdir(this.#directory, { recursive: true });
    return await this.#peer(name, 'fetcher', this.#directory, '/');
  }

  async #peer(
    name: string,
    peer: string,
    rest: string | readonly string[],
    ready: string,
  ): Promise<{ port: number; pid: number }> {
    const port = await claimPort(0, 'PORT');
    const main = join(PROJECT_ROOT, 'dist', 'bench', 'main.js');
    const args = [main, '--peer', peer, String(port), ...(typeof rest === 'string' ? [rest] : rest)];
    const daemon = startNode(this.#home, name, args);
    this.#daemons.push(daemon);
    await answering(`http://127.0.0.1:${port}${ready}`, [daemon]);
    return { port, pid: daemon.pid };
  }

  get #directory(): string {
    return join(this.#home, 'sluice');
  }

  get #file(): string {
    return join(this.#home, 'curl.bin');
  }

  async #versions(): Promise<Record<string, string>> {
    const first = async (command: string, arg: string) =>
      (await this.#run(command, [arg])).split('\n')[0]?.split(' ')[1] ?? '?';
    return {
      curl: await first('curl', '--version'),
      openssl: await first('openssl', 'version'),
      ...packageVersions('undici'),
    };
  }
}

const NOTES = [
  'Ours is the whole stage: the transfer, its journal, SHA-256 of the bytes read back from the page cache, list of files, receipt and move into the dataset.',
  'fsync of the bytes counts on neither side; the same server gives to both; all files are of the same bytes and their digests are compared.',
];
