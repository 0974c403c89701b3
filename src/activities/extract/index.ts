// Activity extractArchives: what the archives of a dataset hold, each archive unpacked once.
import { Context } from '@temporalio/activity';
import { freeBytes } from '../../bytes/files.js';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import { digestOf, findReceipt, leaveReceipt } from '../../bytes/receipts.js';
import { extractStagingKey } from '../../bytes/staging.js';
import { claimFile, materialise, putManifest, readManifest } from '../../bytes/store.js';
import type { ComputeActivities, ExtractInput, ExtractOutput } from '../../contracts/activities.js';
import type { ArchiveKind, FileEntry } from '../../contracts/claim.js';
import { Fault } from '../../domain/fault.js';
import { type ProgressSink, startHeart } from '../support/heartbeat.js';
import { runStage } from '../support/run-stage.js';
import type { ExtractLimits } from './archive.js';
import { dropDead, inAttempt } from './attempt.js';
import { settleTree } from './settle.js';
import { type ArchiveAtHand, inspect, unpack } from './unpack.js';

export interface ExtractDeps {
  readonly roots: Roots;
  readonly progress: ProgressSink;
  readonly limits: ExtractLimits;
}

export function createExtractActivities(deps: ExtractDeps): Pick<ComputeActivities, 'extractArchives'> {
  return {
    extractArchives: (input) =>
      runStage(async () => {
        const { cancellationSignal: signal } = Context.current();
        try {
          return await extractArchives(deps, input, signal);
        } catch (error) {
          // Whatever a stream made of the abort: what counts is that it was asked for.
          signal.throwIfAborted();
          throw error;
        }
      }, 'extract'),
  };
}

type Archive = FileEntry & { readonly archive: ArchiveKind };

/** All archives are looked at before the first one is unpacked, so that a bad one costs no writing. */
async function extractArchives(
  deps: ExtractDeps,
  input: ExtractInput,
  signal: AbortSignal,
): Promise<ExtractOutput> {
  const { uuid } = input;
  const heart = startHeart(deps.progress, { uuid });
  const beat = (done: number, total: number, note: string): void =>
    heart.beat({ stage: 'extract', done, total, unit: 'bytes', note });
  const archives = await archivesOf(deps.roots, input);
  const open: { archive: Archive; hand: ArchiveAtHand; bytes: number }[] = [];
  for (const archive of archives) {
    if ((await findReceipt(deps.roots, uuid, 'extract', receiptKey(archive))) !== undefined) continue;
    await dropDead(stagingOf(deps.roots, uuid, archive));
    const hand = await atHand(deps.roots, uuid, archive);
    const tick = (): void => beat(0, 0, `looking into ${archive.path}`);
    open.push({ archive, hand, bytes: await inspect(hand, deps.limits, signal, tick) });
  }
  const total = open.reduce((sum, { bytes }) => sum + bytes, 0);
  await checkRoom(deps, total);
  let done = 0;
  for (const { archive, hand } of open) {
    await extractOne(deps, uuid, archive, hand, signal, (bytes, path) => {
      done += bytes;
      beat(done, Math.max(total, done), path);
    });
  }
  return await summary(deps.roots, uuid, archives);
}

/** Every archive of the pass once, in the order of paths: deterministic, whatever order uploads came in. */
async function archivesOf(roots: Roots, { manifests }: ExtractInput): Promise<Archive[]> {
  const lists = await Promise.all(manifests.map((claim) => readManifest(roots, claim)));
  const archives = lists
    .flatMap(({ files }) => files)
    .filter((file): file is Archive => file.archive !== undefined);
  archives.sort((a, b) => (a.path < b.path ? -1 : 1));
  return [...new Map(archives.toReversed().map((one) => [one.sha256, one])).values()].toReversed();
}

async function atHand(
  roots: Roots,
  uuid: string,
  { path, size, sha256, archive }: Archive,
): Promise<ArchiveAtHand> {
  const claim = claimFile('in', `${keys.received(uuid)}/${path}`, size, sha256);
  return { path, kind: archive, size, file: await materialise(roots, claim) };
}

async function checkRoom({ roots, limits }: ExtractDeps, total: number): Promise<void> {
  if (total > limits.extractBytes) {
    throw new Fault('archive_bomb', `The archives expand beyond ${limits.extractBytes} bytes together.`);
  }
  if (total > 0 && (await freeBytes(roots.in)) < total) throw new Fault('disk_full');
}

/** Unpacks beside the dataset, moves the whole tree into it, leaves the receipt. Two attempts may do it at once. */
async function extractOne(
  deps: ExtractDeps,
  uuid: string,
  archive: Archive,
  hand: ArchiveAtHand,
  signal: AbortSignal,
  advance: (bytes: number, path: string) => void,
): Promise<void> {
  const startedAt = new Date();
  const key = receiptKey(archive);
  const isDone = async (): Promise<boolean> => {
    signal.throwIfAborted();
    return (await findReceipt(deps.roots, uuid, 'extract', key)) !== undefined;
  };
  await inAttempt(stagingOf(deps.roots, uuid, archive), async (staging) => {
    const files = await settleTree({
      staging,
      dataset: pathOf(deps.roots, 'in', keys.received(uuid)),
      archive: { path: archive.path, tag: archive.sha256.slice(0, 8) },
      unpack: (tree) => unpack(hand, tree, deps.limits, signal, advance),
      superseded: isDone,
    });
    if (files === undefined || (await isDone())) return;
    const manifest = await putManifest(deps.roots, uuid, nameOfList(key, files), { version: 1, files });
    const output: ExtractOutput = { manifest, files: files.length, bytes: sizeOfAll(files) };
    await leaveReceipt(deps.roots, uuid, 'extract', key, { input: archive.sha256, output, startedAt });
  });
}

/** One list of the files of all archives, from their receipts. */
async function summary(roots: Roots, uuid: string, archives: readonly Archive[]): Promise<ExtractOutput> {
  const files: FileEntry[] = [];
  for (const archive of archives) {
    const receipt = await findReceipt<ExtractOutput>(roots, uuid, 'extract', receiptKey(archive));
    if (receipt === undefined) throw new Error(`no receipt of ${archive.path}`);
    files.push(...(await readManifest(roots, receipt.output.manifest)).files);
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const name = nameOfList('all', files);
  const manifest = await putManifest(roots, uuid, name, { version: 1, files });
  return { manifest, files: files.length, bytes: sizeOfAll(files) };
}

/** Lists of other files have other names, so an attempt that is believed dead never replaces the list of another. */
const nameOfList = (key: string, files: readonly FileEntry[]): string =>
  `extract-${key}-${digestOf(files).slice(0, 16)}`;
/** Holds a directory for every attempt; the dataset's clean-up removes what the dead left. */
const stagingOf = (roots: Roots, uuid: string, archive: Archive): string =>
  pathOf(roots, 'in', `${extractStagingKey(uuid)}/${receiptKey(archive)}`);
const receiptKey = ({ sha256 }: Archive): string => sha256.slice(0, 32);
const sizeOfAll = (files: readonly FileEntry[]): number => files.reduce((sum, { size }) => sum + size, 0);
