// For the benches of the source s3: a real S3 server, our activity in a process of its own, and the peers' programs.
import { randomUUID } from 'node:crypto';
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { readManifest } from '../src/bytes/store.js';
import { childEnvironment, loadConfig, PROJECT_ROOT } from '../src/config/env.js';
import type { FileEntry } from '../src/contracts/claim.js';
import type { S3Source } from '../src/domain/source.js';
import { claimPort } from '../src/embedded/ports.js';
import { provideTool, type Tool } from '../src/embedded/tools.js';
import { type Daemon, startDaemon } from '../src/process/daemon.js';
import { packageVersions } from './harness.js';
import { freshHome } from './home.js';
import type { Ask, Fetched } from './peer/fetcher.js';
import { answering, startNode } from './stack.js';

const BUCKET = 'scans';
/** The smallest that a store takes. */
const PART_BYTES = 5 * 2 ** 20;
const KEYS = { accessKeyId: 'AKIDBENCHBENCHBENCH0', secretAccessKey: 'a-secret-of-a-bench' };

export class S3Rig {
  readonly home: string;
  private readonly daemons: Daemon[];
  readonly tools: { readonly rclone: Tool; readonly versitygw: Tool };
  private readonly gateway: number;
  /** The process in which the activity runs. */
  readonly fetcher: { readonly port: number; readonly pid: number };

  private constructor(made: Pick<S3Rig, 'home' | 'fetcher'> & Internals) {
    this.home = made.home;
    this.daemons = made.daemons;
    this.tools = made.tools;
    this.gateway = made.gateway;
    this.fetcher = made.fetcher;
  }

  /** Does the work beside a rig of its own; afterwards nothing is left of it. */
  static async with<T>(say: (text: string) => void, work: (rig: S3Rig) => Promise<T>): Promise<T> {
    const home = freshHome();
    const daemons: Daemon[] = [];
    try {
      const config = loadConfig(childEnvironment({ SLUICE_HOME: home }));
      const [rclone, versitygw] = await Promise.all([
        provideTool('rclone', config, say),
        provideTool('versitygw', config, say),
      ]);
      const gateway = await startGateway(home, versitygw.path, daemons);
      const fetcher = await startPeer(home, daemons, ['fetcher', join(home, 'sluice')]);
      const rig = new S3Rig({ home, daemons, tools: { rclone, versitygw }, gateway, fetcher });
      await rig.rclone(rig.near, 'mkdir', `store:${BUCKET}`);
      return await work(rig);
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.stop(5_000)));
      await rm(home, { recursive: true, force: true });
    }
  }

  /** The address of the server itself. */
  get near(): string {
    return `http://127.0.0.1:${this.gateway}`;
  }

  /** The same server behind a line that is slow and far away. */
  async far(delayMs: number, bytesPerSecond: number): Promise<string> {
    const line = ['line', String(this.gateway), String(delayMs), String(bytesPerSecond)];
    const { port } = await startPeer(this.home, this.daemons, line, '/ready');
    return `http://127.0.0.1:${port}`;
  }

  /** Our whole stage. */
  async ours(endpoint: string, key: string): Promise<Taken> {
    return await this.take(this.fetcher.port, this.object(endpoint, key));
  }

  /** What a fetcher is told for an object, or for all below a prefix. */
  object(endpoint: string, key: string): Ask {
    const place = { bucket: BUCKET, key, prefix: key.endsWith('/'), endpoint, region: 'us-east-1' };
    const source: S3Source = { kind: 's3', ...place, pathStyle: true, sealed: true };
    return { source, secret: KEYS };
  }

  /**
   * Puts a sparse object of any size at once: a small one goes in by parts, then its file in the store grows. Its ETag tells
   * of parts that do not fit it any more, so it proves nothing.
   */
  async plant(key: string, bytes: number): Promise<void> {
    const seed = join(this.home, 'seed');
    await writeFile(seed, Buffer.alloc(2 * PART_BYTES));
    const inParts = ['--s3-upload-cutoff', `${PART_BYTES}B`, '--s3-chunk-size', `${PART_BYTES}B`];
    const put = ['copyto', '--s3-disable-checksum', ...inParts, seed, `store:${BUCKET}/${key}`];
    await this.rclone(this.near, ...put);
    await truncate(join(storeOf(this.home), BUCKET, key), bytes);
  }

  /** The store as a remote of rclone's configuration. */
  get remote(): string {
    const { accessKeyId, secretAccessKey } = KEYS;
    const keys = `access_key_id = ${accessKeyId}\nsecret_access_key = ${secretAccessKey}`;
    return `[store]\ntype = s3\nprovider = Other\nendpoint = ${this.near}\n${keys}\n`;
  }

  /** A peer's program in a process of its own. @param peer its name, and what it needs */
  async peer(peer: readonly string[], ready = '/'): Promise<Peer> {
    return await startPeer(this.home, this.daemons, peer, ready);
  }

  /** A source through the stage `fetch` of the fetcher that listens at a port; nothing of it stays. */
  async take(port: number, ask: Ask): Promise<Taken> {
    const url = `http://127.0.0.1:${port}/`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(ask) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    const { ms, output } = JSON.parse(text) as Fetched;
    if (!output.done) throw new Error('it is not done');
    const roots = { in: join(this.home, 'sluice', 'in'), out: join(this.home, 'sluice', 'out') };
    const { files } = await readManifest(roots, output.delivery.manifest);
    await rm(roots.in, { recursive: true });
    await mkdir(roots.in);
    return { ms, files };
  }

  /** rclone with its defaults, but for what is given. `store:` is the server. */
  async rclone(endpoint: string, ...args: readonly string[]): Promise<void> {
    await this.run(this.tools.rclone.path, args, {
      RCLONE_CONFIG_STORE_TYPE: 's3',
      RCLONE_CONFIG_STORE_PROVIDER: 'Other',
      RCLONE_CONFIG_STORE_ENDPOINT: endpoint,
      RCLONE_CONFIG_STORE_ACCESS_KEY_ID: KEYS.accessKeyId,
      RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
    });
  }

  /** @throws Error when there is no aws cli */
  async aws(endpoint: string, ...args: readonly string[]): Promise<void> {
    const program = awsProgram();
    if (program === undefined) throw new Error('there is no aws cli on PATH');
    await this.run(program, ['--endpoint-url', endpoint, ...args], {
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
    });
  }

  /** A server that is no peer of ours; it ends with the rig. */
  serve(command: string, args: readonly string[]): void {
    const logFile = join(this.home, `${command}.log`);
    this.daemons.push(startDaemon({ name: command, command, args, env: { HOME: this.home }, logFile }));
  }

  /** Runs a program to its end. @returns what it said */
  async run(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const logFile = join(this.home, `peer-${randomUUID()}.log`);
    const daemon = startDaemon({ name: command, command, args, env: { HOME: this.home, ...env }, logFile });
    const { code } = await daemon.exited;
    const said = readFileSync(logFile, 'utf8');
    await rm(logFile);
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${said.slice(-2_000)}`);
    return said;
  }

  async versions(): Promise<Record<string, string>> {
    const aws = awsProgram();
    const told = aws === undefined ? '' : await this.run(aws, ['--version']);
    return {
      rclone: this.tools.rclone.version,
      versitygw: this.tools.versitygw.version,
      'aws cli': /aws-cli\/(\S+)/.exec(told)?.[1] ?? 'none',
      ...packageVersions('undici', '@aws-sdk/client-s3'),
    };
  }
}

/** Milliseconds, and what was delivered. */
interface Taken {
  readonly ms: number;
  readonly files: readonly FileEntry[];
}

interface Peer {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<unknown>;
}

interface Internals {
  readonly daemons: Daemon[];
  readonly tools: { readonly rclone: Tool; readonly versitygw: Tool };
  readonly gateway: number;
}

/** Bytes that hardly repeat, so that nobody gains by their content. */
export async function writeBytes(path: string, size: number): Promise<void> {
  const block = Buffer.alloc(1_048_573);
  for (let at = 0; at < block.length; at += 4)
    block.writeUInt32LE((at * 2_654_435_761) >>> 0, Math.min(at, block.length - 4));
  function* blocks(): Generator<Buffer> {
    for (let left = size; left > 0; left -= block.length)
      yield block.subarray(0, Math.min(left, block.length));
  }
  await pipeline(blocks, createWriteStream(path));
}

/** The aws cli itself: a shim of a version manager would cost the peer time. */
export function awsProgram(): string | undefined {
  const directories = (childEnvironment({})['PATH'] ?? '').split(delimiter);
  const found = directories.map((directory) => join(directory, 'aws')).find((path) => existsSync(path));
  if (found === undefined || !found.includes('/shims/')) return found;
  const versions = join(dirname(found), '..', 'versions');
  const real = readdirSync(versions).map((version) => join(versions, version, 'bin', 'aws'));
  return real.find((path) => existsSync(path)) ?? found;
}

const storeOf = (home: string): string => join(home, 'store');

async function startGateway(home: string, program: string, daemons: Daemon[]): Promise<number> {
  const port = await claimPort(0, 'PORT');
  const data = storeOf(home);
  await mkdir(data, { recursive: true });
  const daemon = startDaemon({
    name: 'versitygw',
    command: program,
    args: ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', '--health', '/ready', 'posix', data],
    env: { ROOT_ACCESS_KEY_ID: KEYS.accessKeyId, ROOT_SECRET_ACCESS_KEY: KEYS.secretAccessKey },
    logFile: join(home, 'versitygw.log'),
  });
  daemons.push(daemon);
  await answering(`http://127.0.0.1:${port}/ready`, [daemon]);
  return port;
}

async function startPeer(
  home: string,
  daemons: Daemon[],
  [peer = '', ...rest]: readonly string[],
  ready = '/',
): Promise<Peer> {
  const port = await claimPort(0, 'PORT');
  const main = join(PROJECT_ROOT, 'dist', 'bench', 'main.js');
  await mkdir(join(home, 'sluice'), { recursive: true });
  const daemon = startNode(home, peer, [main, '--peer', peer, String(port), ...rest]);
  daemons.push(daemon);
  await answering(`http://127.0.0.1:${port}${ready}`, [daemon]);
  return { port, pid: daemon.pid, stop: async () => await daemon.stop(5_000) };
}
