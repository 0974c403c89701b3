// Activity `publishTo`: the published product, once more, at one place that the operator named.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Context } from '@temporalio/activity';
import { pathOf, type Roots } from '../../../bytes/layout.js';
import type { PublishToInput, PublishToOutput, TargetActivities } from '../../../contracts/activities.js';
import type { FileEntry } from '../../../contracts/claim.js';
import type { Target } from '../../../contracts/targets.js';
import { Fault } from '../../../domain/fault.js';
import { type ProgressSink, startHeart } from '../../support/heartbeat.js';
import { runStage } from '../../support/run-stage.js';
import { CHECKSUMS, MANIFEST, type ProductManifest } from '../manifest.js';
import { publisherOf } from './registry.js';

export interface TargetDeps {
  readonly roots: Roots;
  readonly progress: ProgressSink;
  readonly targets: readonly Target[];
}

/** Longer than any wait inside: a stall, a back-off, the digest of a large file. */
const BOUND_MS = 900_000;

export function createTargetActivities(deps: TargetDeps): TargetActivities {
  return { publishTo: (input) => runStage(() => publishTo(deps, input), 'publish') };
}

async function publishTo(deps: TargetDeps, input: PublishToInput): Promise<PublishToOutput> {
  const { uuid, manifest } = input;
  const target = deps.targets.find(({ name }) => name === input.target);
  if (target === undefined)
    throw new Fault('target_unknown', `This server has no publish target ${JSON.stringify(input.target)}.`);
  const heart = startHeart(deps.progress, { uuid });
  const directory = dirname(pathOf(deps.roots, manifest.store, manifest.key));
  const files = await productFiles(directory, manifest.digest);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const signal = Context.current().cancellationSignal;
  const outgoing = {
    target,
    uuid,
    directory,
    files,
    signal,
    advance: (more: number, note: string): void => {
      done = Math.min(2 * bytes, done + more);
      heart.beat({
        stage: 'publish',
        done,
        total: 2 * bytes,
        unit: 'bytes',
        note: `${target.name}: ${note}`,
      });
    },
  };
  outgoing.advance(0, '');
  try {
    const arrived = await heart.waiting(publisherOf(target).publish(outgoing), BOUND_MS);
    return { ...arrived, files: files.length, bytes };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** What the manifest names, with both lists behind it. */
async function productFiles(directory: string, digest: string): Promise<FileEntry[]> {
  const own = await ownFile(directory, MANIFEST);
  if (own.sha256 !== digest)
    throw new Fault('product_damaged', 'The manifest of the product is not the one that was published.');
  const { files } = JSON.parse(own.content.toString()) as ProductManifest;
  const lists = [await ownFile(directory, CHECKSUMS), own];
  return [...files, ...lists.map(({ path, size, sha256 }) => ({ path, size, sha256 }))];
}

async function ownFile(directory: string, path: string) {
  const content = await readFile(join(directory, path)).catch((error: unknown) => {
    throw new Fault('product_damaged', `The product lacks ${basename(path)}.`, { cause: error });
  });
  const { size } = await stat(join(directory, path));
  return { path, size, sha256: createHash('sha256').update(content).digest('hex'), content };
}
