// What every source is tested with: directories, the activity in a mock context, interruptions, and what must hold after.
import { createHash, randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createFetchActivities, type FetchDeps } from '../../../src/activities/fetch/index.js';
import type { ProgressReport } from '../../../src/activities/support/heartbeat.js';
import type { Roots } from '../../../src/bytes/layout.js';
import { readManifest } from '../../../src/bytes/store.js';
import type { FetchOutput } from '../../../src/contracts/activities.js';
import type { FileEntry } from '../../../src/contracts/claim.js';
import type { Source } from '../../../src/domain/source.js';
import { openSshDirectory } from '../../../src/secrets/ssh-directory.js';
import { openVault } from '../../../src/secrets/vault.js';
import { SmallDisk } from '../../support/small-disk.js';

export const UUID = '6f0d1a52-9d4e-4a53-8f3e-222222222222';
export const JOB = 'upload_1_0000000a';
export const MIB = 1024 * 1024;

const KINDS = {
  pause: { reason: 'CANCELLED', details: new ActivityCancellationDetails({ cancelRequested: true }) },
  shutdown: {
    reason: 'WORKER_SHUTDOWN',
    details: new ActivityCancellationDetails({ workerShutdown: true }),
  },
} as const;

export interface RunOptions {
  jobId?: string;
  /** Ends the run when this returns true for a report of progress. */
  stop?: { kind: keyof typeof KINDS; when: (progress: ProgressReport) => boolean };
  /** Called with every report. */
  onProgress?: (progress: ProgressReport) => void;
}

export class Bench {
  readonly uuid = UUID;
  readonly dir: string;
  readonly roots: Roots;
  /** Where what is fetched lies, once it is given a size. */
  readonly disk: SmallDisk;
  readonly deps: FetchDeps;
  reports: ProgressReport[] = [];
  private more: Partial<FetchDeps> = {};
  private listener: (progress: ProgressReport) => void = () => undefined;
  private attempt = 0;

  private constructor(dir: string, transfer: FetchDeps['transfer'], local = join(dir, 'local')) {
    this.dir = dir;
    this.roots = { in: join(dir, 'in'), out: join(dir, 'out') };
    this.disk = new SmallDisk(this.roots.in);
    this.deps = {
      roots: this.roots,
      localRoots: [local],
      urlAllow: ['127.0.0.0/8'],
      ssh: openSshDirectory(join(dir, 'ssh')),
      secrets: openVault(join(dir, 'home'), this.roots),
      progress: { report: (progress) => this.listener(progress) },
      // Every report counts here: interruptions hang on them.
      beatsApartMs: 0,
      ...(transfer === undefined ? {} : { transfer }),
    };
  }

  static async open(transfer?: FetchDeps['transfer']): Promise<Bench> {
    const bench = new Bench(await mkdtemp(join(tmpdir(), 'sluice-source-')), transfer);
    await mkdir(join(bench.dir, 'local'));
    await mkdir(bench.roots.in);
    return bench;
  }

  /** What only one source needs beside. */
  extend(more: Partial<FetchDeps>): void {
    this.more = more;
    Object.assign(this.deps, more);
  }

  async close(): Promise<void> {
    this.disk.remove();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Runs the activity; each run is a later attempt. */
  async run(source: Source, options: RunOptions = {}, deps: FetchDeps = this.deps): Promise<FetchOutput> {
    this.attempt += 1;
    const env = new MockActivityEnvironment(
      { attempt: this.attempt, currentAttemptScheduledTimestampMs: this.attempt },
      { logger: new DefaultLogger('ERROR') },
    );
    this.listener = (progress) => {
      this.reports.push(progress);
      options.onProgress?.(progress);
      if (options.stop?.when(progress) === true)
        env.cancel(KINDS[options.stop.kind].reason, KINDS[options.stop.kind].details);
    };
    const jobId = options.jobId ?? JOB;
    const order = { jobId, source, seal: true, by: 'ada@example.org' };
    const { fetchSource } = createFetchActivities(deps);
    return (await env.run(fetchSource, { uuid: UUID, jobId, order })) as FetchOutput;
  }

  /** A bench whose disk is what a SIGKILL at this moment would leave. */
  snapshot(): Bench {
    const copy = new Bench(`${this.dir}-killed`, this.deps.transfer, join(this.dir, 'local'));
    cpSync(this.dir, copy.dir, { recursive: true, preserveTimestamps: true });
    copy.attempt = this.attempt;
    copy.extend(this.more);
    return copy;
  }

  /** Proves the delivery: manifest equals bytes, bytes equal what was sent, nothing is left in staging. */
  async prove(
    output: FetchOutput,
    expected: Readonly<Record<string, Buffer>>,
  ): Promise<readonly FileEntry[]> {
    if (!output.done) throw new Error('not done');
    const { files } = await readManifest(this.roots, output.delivery.manifest);
    expect(files.map(({ path }) => path)).toEqual(Object.keys(expected).sort());
    for (const { path, size, sha256 } of files) {
      const want = expected[path] ?? Buffer.alloc(0);
      const found = await readFile(join(this.roots.in, UUID, path));
      expect([path, size, sha256, digest(found)]).toEqual([path, want.length, digest(want), digest(want)]);
    }
    expect(output.delivery).toMatchObject({
      files: files.length,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
    });
    await this.proveEmptyStaging();
    return files;
  }

  async proveEmptyStaging(): Promise<void> {
    expect(await readdir(join(this.roots.in, '.staging')).catch(() => [])).toEqual([]);
  }

  /** Progress never goes back, never beyond its total, and ends with all bytes. */
  proveProgress(bytes: number): void {
    const dones = this.reports.map(({ done }) => done);
    expect(dones).toEqual([...dones].sort((a, b) => a - b));
    expect(this.reports.every(({ done, total }) => total === 0 || done <= total)).toBe(true);
    expect(this.reports.at(-1)).toMatchObject({ done: bytes, stage: 'fetch', unit: 'bytes', uuid: UUID });
  }
}

export const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const someBytes = (size: number): Buffer => randomBytes(size);
/** What a coded failure of an activity looks like. */
export const failure = (type: string, nonRetryable = true): unknown =>
  expect.objectContaining({ type, nonRetryable });
