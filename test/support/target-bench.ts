// What publish targets are tested with: a published product on disk, and the activity in a mock context.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createTargetActivities, type TargetDeps } from '../../src/activities/publish/targets/index.js';
import type { ProgressReport } from '../../src/activities/support/heartbeat.js';
import type { PublishToOutput } from '../../src/contracts/activities.js';
import type { Claim } from '../../src/contracts/claim.js';
import type { Target } from '../../src/contracts/targets.js';
import { openSshDirectory } from '../../src/secrets/ssh-directory.js';
import { seeded, writeProduct } from './product.js';

export const MIB = 2 ** 20;
export const CONTENTS = {
  'visus.idx': Buffer.from('(version)\n6\n'),
  'visus/a b/0000.bin': seeded(3 * MIB, 1),
  'visus/large.bin': seeded(40 * MIB, 2),
  'empty.txt': Buffer.alloc(0),
};
export const LISTS = ['manifest-sha256.txt', 'manifest.json'];

export const newEnv = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });

/** Ends the activity as a cancellation of its workflow does, or as a worker that leaves. */
export function end(env: MockActivityEnvironment, how: 'cancelled' | 'leaving'): void {
  if (how === 'cancelled')
    env.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
  else env.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
}

export class TargetBench {
  readonly uuid = randomUUID();
  readonly dir: string;
  readonly deps: TargetDeps;
  manifest: Claim;
  readonly reports: ProgressReport[] = [];
  onProgress: (report: ProgressReport) => void = () => undefined;

  private constructor(dir: string) {
    this.dir = dir;
    this.manifest = { store: 'out', key: '', size: 0, digest: '' };
    this.deps = {
      roots: { in: join(dir, 'in'), out: join(dir, 'out') },
      progress: {
        report: (report) => {
          this.reports.push(report);
          this.onProgress(report);
        },
      },
      ssh: openSshDirectory(join(dir, 'ssh')),
      targets: [],
    };
  }

  static async open(contents: Readonly<Record<string, Buffer>> = CONTENTS): Promise<TargetBench> {
    const bench = new TargetBench(await mkdtemp(join(tmpdir(), 'sluice-targets-')));
    await bench.make('a', contents);
    return bench;
  }

  /** Publishes another product here. @param version a hexadecimal digit */
  async make(version: string, contents: Readonly<Record<string, Buffer>>): Promise<void> {
    this.manifest = await writeProduct(this.deps.roots.out, this.uuid, version.repeat(32), contents);
  }

  /** Where a file of the product lies. */
  pathOf(path: string, version = 'a'): string {
    return join(this.deps.roots.out, '.versions', this.uuid, version.repeat(32), path);
  }

  async publish(
    target: Target,
    env = newEnv(),
    deps: Partial<TargetDeps> = {},
    owner?: string,
  ): Promise<PublishToOutput> {
    // As settings are, with all in them.
    const frozen = deepFreeze(structuredClone(target));
    const { publishTo } = createTargetActivities({ ...this.deps, targets: [frozen], ...deps });
    const { uuid, manifest } = this;
    const input = { uuid, target: target.name, manifest, ...(owner === undefined ? {} : { owner }) };
    return await env.run(publishTo, input);
  }

  /** As if nothing had been proven at any target. */
  async forgetReceipts(): Promise<void> {
    await rm(join(this.deps.roots.in, '.receipts'), { recursive: true });
  }

  /** What lies in staging. */
  async staged(): Promise<string[]> {
    return await readdir(join(this.deps.roots.out, '.staging')).catch(() => []);
  }

  async close(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object') deepFreeze(inner as object);
  return Object.freeze(value);
}
