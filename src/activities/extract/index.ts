// Activity extractArchives: what the archives of a dataset hold, each archive unpacked once.
import { Context } from '@temporalio/activity';
import { removeTree } from '../../bytes/files.js';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import { digestOf, findReceipt, leaveReceipt } from '../../bytes/receipts.js';
import { extractStagingKey } from '../../bytes/staging.js';
import { claimFile, materialise, putManifest, readManifest } from '../../bytes/store.js';
import type { ComputeActivities, ExtractInput, ExtractOutput } from '../../contracts/activities.js';
import type { ArchiveKind, FileEntry } from '../../contracts/claim.js';
import type { Progress } from '../../domain/progress.js';
import { inTurn } from '../support/in-turn.js';
import { runStage } from '../support/run-stage.js';
import { dropAttempt, dropDead, inAttempt } from './attempt.js';
import { settleTree } from './settle.js';
import { type ArchiveAtHand, type ExtractDeps, inspect, unpack } from './unpack.js';

export function createExtractActivities(deps: ExtractDeps): Pick<ComputeActivities, 'extractArchives'> {
  return {
    extractArchives: (input) =>
      runStage(async () => {
        const { cancellationSignal: signal } = Context.current();
        try {
          return await inTurn(deps, input, 'extract', () => extractArchives(deps, input, signal));
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
  const archives = await archivesOf(deps.roots, input);
  const nested = input.archives?.nested === true;
  const open: OpenArchive[] = [];
  for (const archive of archives) {
    const key = receiptKey(archive, nested);
    if ((await findReceipt(deps.roots, uuid, 'extract', key)) !== undefined) continue;
    await dropDead(stagingOf(deps.roots, uuid, key));
    open.push({ archive, key, nested, hand: await atHand(deps.roots, uuid, archive) });
  }
  // A single one is looked at when it is unpacked.
  if (open.length > 1) {
    const hands = open.map(({ hand }) => hand);
    await inAttempt(pathOf(deps.roots, 'in', `${extractStagingKey(uuid)}/look`), async (work) => {
      try {
        await inspect(deps, { uuid, work, archives: hands });
      } catch (error) {
        await dropAttempt(work);
        throw error;
      }
    });
  }
  const total = open.reduce((sum, { hand }) => sum + hand.size, 0);
  let before = 0;
  for (const one of open) {
    const start = before;
    const shown = (own: Progress): Progress => ({ ...own, done: start + own.done, total });
    await extractOne(deps, uuid, one, { signal, shown });
    before += one.hand.size;
  }
  const output = await summary(deps.roots, uuid, archives, nested);
  if (input.archives?.drop) await dropOriginals(deps.roots, input);
  return output;
}

/** Every archive has its receipt by now, and is never looked for again. */
async function dropOriginals(roots: Roots, { uuid, manifests }: ExtractInput): Promise<void> {
  for (const { files } of await Promise.all(manifests.map((claim) => readManifest(roots, claim)))) {
    for (const { path, archive } of files) {
      if (archive !== undefined) await removeTree(pathOf(roots, 'in', `${keys.received(uuid)}/${path}`));
    }
  }
}

interface OpenArchive {
  readonly archive: Archive;
  readonly key: string;
  readonly nested: boolean;
  readonly hand: ArchiveAtHand;
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

/** Unpacks beside the dataset, moves the whole tree into it, leaves the receipt. Two attempts may do it at once. */
async function extractOne(
  deps: ExtractDeps,
  uuid: string,
  { archive, key, nested, hand }: OpenArchive,
  { signal, shown }: { signal: AbortSignal; shown: (own: Progress) => Progress },
): Promise<void> {
  const startedAt = new Date();
  const isDone = async (): Promise<boolean> => {
    signal.throwIfAborted();
    return (await findReceipt(deps.roots, uuid, 'extract', key)) !== undefined;
  };
  await inAttempt(stagingOf(deps.roots, uuid, key), async (staging) => {
    const files = await settleTree({
      staging,
      dataset: pathOf(deps.roots, 'in', keys.received(uuid)),
      archive: { path: archive.path, tag: archive.sha256.slice(0, 8) },
      unpack: (tree) => unpack(deps, { uuid, archive: hand, tree, nested, shown }),
      superseded: isDone,
    });
    if (files === undefined || (await isDone())) return;
    const manifest = await putManifest(deps.roots, uuid, nameOfList(key, files), { version: 1, files });
    const output: ExtractOutput = { manifest, files: files.length, bytes: sizeOfAll(files) };
    await leaveReceipt(deps.roots, uuid, 'extract', key, { input: archive.sha256, output, startedAt });
  });
}

/** One list of the files of all archives, from their receipts. */
async function summary(
  roots: Roots,
  uuid: string,
  archives: readonly Archive[],
  nested: boolean,
): Promise<ExtractOutput> {
  const files: FileEntry[] = [];
  for (const archive of archives) {
    const receipt = await findReceipt<ExtractOutput>(roots, uuid, 'extract', receiptKey(archive, nested));
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
const stagingOf = (roots: Roots, uuid: string, key: string): string =>
  pathOf(roots, 'in', `${extractStagingKey(uuid)}/${key}`);
const receiptKey = ({ sha256 }: Archive, nested: boolean): string =>
  `${sha256.slice(0, 32)}${nested ? '-nested' : ''}`;
const sizeOfAll = (files: readonly FileEntry[]): number => files.reduce((sum, { size }) => sum + size, 0);
