// Activity `publishTo`: the published product, once more, at one place that the operator named.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { Bandwidth } from '../../../bandwidth/bandwidth.js';
import { damageOf } from '../../../bytes/disk-fault.js';
import { keys, pathOf, type Roots } from '../../../bytes/layout.js';
import { digestOf, dropReceipt, findReceipt, leaveReceipt } from '../../../bytes/receipts.js';
import type { PublishToInput, PublishToOutput, TargetActivities } from '../../../contracts/activities.js';
import type { FileEntry } from '../../../contracts/claim.js';
import { type Target, targetWords } from '../../../contracts/targets.js';
import { Fault } from '../../../domain/fault.js';
import type { SshDirectory } from '../../../secrets/ssh-directory.js';
import { requireStore } from '../../convert/product.js';
import { stopReason } from '../../support/failures.js';
import { type Heart, type ProgressSink, startHeart } from '../../support/heartbeat.js';
import { runStage } from '../../support/run-stage.js';
import { CHECKSUMS, MANIFEST, type ProductManifest } from '../manifest.js';
import type { Outgoing } from './publisher.js';
import { publisherOf } from './registry.js';

export interface TargetDeps {
  readonly roots: Roots;
  readonly progress: ProgressSink;
  readonly targets: readonly Target[];
  /** For hosts whose key the target does not name. */
  readonly ssh: Pick<SshDirectory, 'knownHosts'>;
  /** The limits on bandwidth; left out: none. */
  readonly bandwidth?: Pick<Bandwidth, 'join'>;
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
  await requireStore(deps.roots);
  const files = await productFiles(directory, manifest.digest);
  const { outgoing, leave } = outgoingOf(deps, input, heart, { target, directory, files });
  try {
    return await heart.waiting(once(deps, input, outgoing), BOUND_MS);
  } catch (error) {
    outgoing.signal.throwIfAborted();
    throw error;
  } finally {
    leave();
  }
}

/**
 * What was proven at this target need not be proven once more when a look shows it there. Its receipt tells of the
 * newest product, and is gone while another one is being sent.
 */
async function once(
  { roots }: TargetDeps,
  { uuid, manifest }: PublishToInput,
  outgoing: Outgoing<Target>,
): Promise<PublishToOutput> {
  const startedAt = new Date();
  const { target, files } = outgoing;
  const publisher = publisherOf(target);
  const key = `to-${target.name}`;
  const work = digestOf({ manifest: manifest.digest, to: targetWords(target) });
  const receipt = await findReceipt<PublishToOutput>(roots, uuid, 'publish', key);
  if (receipt?.input === work && (await publisher.holds(outgoing))) return { ...receipt.output, sent: 0 };
  await dropReceipt(roots, uuid, 'publish', key);
  const arrived = await publisher.publish(outgoing);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const output = { ...arrived, files: files.length, bytes };
  await leaveReceipt(roots, uuid, 'publish', key, { input: work, output, startedAt });
  return output;
}

function outgoingOf(
  deps: TargetDeps,
  { uuid, owner }: PublishToInput,
  heart: Heart,
  what: Pick<Outgoing<Target>, 'target' | 'directory' | 'files'>,
): { outgoing: Outgoing<Target>; leave(): void } {
  const context = Context.current();
  const signal = context.cancellationSignal;
  const { name } = what.target;
  // Sent, and read back.
  const total = 2 * what.files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  let last = '';
  const advance = (more: number, note: string): void => {
    done = Math.min(total, done + more);
    last = note || last;
    heart.beat({ stage: 'publish', done, total, unit: 'bytes', note: `${name}: ${last}` });
  };
  advance(0, '');
  const alive = (): void => advance(0, '');
  const joined = deps.bandwidth?.join({ jobId: `to-${name}-${uuid}`, owner, signal, alive });
  const outgoing = {
    ...what,
    uuid,
    signal,
    isCancelled: () => stopReason(context) === 'asked',
    advance,
    pace: joined?.pace ?? (async () => undefined),
    place: join(pathOf(deps.roots, 'out', keys.datasetStaging(uuid)), `to-${name}`),
    knownHosts: deps.ssh.knownHosts,
  };
  return { outgoing, leave: joined?.leave ?? (() => undefined) };
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
    if (damageOf(error) === undefined) throw error;
    throw new Fault('product_damaged', `The product lacks ${basename(path)}.`, { cause: error });
  });
  const { size } = await stat(join(directory, path));
  return { path, size, sha256: createHash('sha256').update(content).digest('hex'), content };
}
