// Activity fetchSource: one delivery from its source into its dataset, once, whatever happens in between.
import { isCancelled } from '../../bytes/cancelled.js';
import { removeTree } from '../../bytes/files.js';
import { readJson, writeJson } from '../../bytes/json-file.js';
import { keys, pathOf } from '../../bytes/layout.js';
import { digestOf, findReceipt, leaveReceipt } from '../../bytes/receipts.js';
import { isWorthKeeping, type UploadStaging, uploadStaging } from '../../bytes/staging.js';
import { putManifest } from '../../bytes/store.js';
import type { FetchInput, FetchOutput, TransferActivities, Waits } from '../../contracts/activities.js';
import type { FileEntry } from '../../contracts/claim.js';
import type { Delivery, LeftOut, UploadOrder } from '../../contracts/workflow.js';
import { Fault, faultOf } from '../../domain/fault.js';
import { NORMAL_PRIORITY } from '../../domain/priority.js';
import { CLIENT_SOURCES, type Source } from '../../domain/source.js';
import { createGuardedFetch } from '../../net/guarded-fetch.js';
import { createHttp } from '../../net/http.js';
import { createUrlGuard } from '../../net/url-guard.js';
import { openGoogleAccounts } from '../../secrets/google-accounts.js';
import { roomWanted } from '../support/admission.js';
import { asFailure, isLastTry, leavingFailure, restMs, stopReason } from '../support/failures.js';
import { SLOW_DISK_MS } from '../support/heartbeat.js';
import { inTurn, waitForRoom } from '../support/in-turn.js';
import { contextOf } from './context.js';
import type { FetchDeps } from './deps.js';
import { heedDuplicates } from './duplicates.js';
import { folderOfFile } from './folder-of.js';
import { leftOutOf } from './left-out.js';
import { noted } from './noted.js';
import { placeFile } from './place.js';
import { proveFiles } from './prove.js';
import type {
  FetchContext,
  FetchedFile,
  Paused,
  SourceFetcher,
  Sources,
  TransferSettings,
} from './source.js';
import { createSources } from './sources/registry.js';
import { StreamBudget } from './transfer/stream-count.js';
import { together } from './transfer/together.js';

export type { FetchDeps } from './deps.js';

const MIB = 1024 * 1024;
/** Moves wait for the disk, one by one. */
const PLACED_AT_ONCE = 8;
/** Each may hold some 2 MiB in memory. */
const ALL_STREAMS = 32;
const TRANSFER: TransferSettings = {
  streams: 8,
  stallMs: 30_000,
  parallelAbove: 32 * MIB,
  pieceBytes: 32 * MIB,
  tries: 5,
  backOffMs: 500,
};

export function createFetchActivities(deps: FetchDeps): TransferActivities {
  const transfer = { ...TRANSFER, budget: new StreamBudget(ALL_STREAMS), ...deps.transfer };
  const { stallMs } = transfer;
  const http = createHttp({ allow: deps.urlAllow, stallMs });
  const {
    accounts = openGoogleAccounts([]),
    root = 'https://www.googleapis.com/',
    ...drive
  } = deps.drive ?? {};
  const sources = createSources({
    ...deps,
    http,
    guard: createUrlGuard(deps.urlAllow),
    transfer,
    drive: { accounts, root, ...drive, fetch: createGuardedFetch({ allow: deps.urlAllow, stallMs }) },
  });
  return { fetchSource: (input) => fetchSource(deps, sources, input) };
}

/**
 * On cancellation (pause and cancel look alike here) it returns `done: false`; the workflow knows which it was.
 * When the worker leaves, the attempt fails and the next one goes on from the journal.
 */
async function fetchSource(deps: FetchDeps, sources: Sources, input: FetchInput): Promise<FetchOutput> {
  const { uuid, jobId } = input;
  const staging = uploadStaging(deps.roots, jobId);
  try {
    const receipt = await findReceipt<Delivery>(deps.roots, uuid, 'fetch', jobId);
    if (receipt === undefined && (await isCancelled(deps.roots, uuid, jobId))) throw new Fault('cancelled');
    const result = receipt?.output ?? (await deliverInTurn(deps, sources, input));
    if ('waits' in result) return { done: false, confirmed: 0, waits: true };
    if ('paused' in result) return ended(result.confirmed);
    await removeTree(staging.root);
    await deps.secrets.forget(jobId);
    return { done: true, delivery: result, ...(await noted(deps, uuid)) };
  } catch (error) {
    await tidy(staging, error).catch(() => undefined);
    throw asFailure(error, isLastTry('fetch'), restMs());
  }
}

/** What can never be delivered leaves nothing behind; what may go on, perhaps with other credentials, keeps its bytes. */
async function tidy(staging: UploadStaging, error: unknown): Promise<void> {
  const row = faultOf(error)?.row;
  if (row === undefined || row.retryable) return;
  if (row.keepsBytes && (await isWorthKeeping(staging))) return;
  await removeTree(staging.root);
}

/** What clients sent is here already, and only its place is missing: it needs no turn. */
async function deliverInTurn(
  deps: FetchDeps,
  sources: Sources,
  input: FetchInput,
): Promise<Delivery | Paused | Waits> {
  const { uuid, jobId, order, owner = order.by } = input;
  const work = (): Promise<Delivery | Paused> => deliver(deps, sources, input);
  if (CLIENT_SOURCES.some((kind) => kind === order.source.kind)) return await work();
  const { priority = NORMAL_PRIORITY } = order;
  const job = { uuid, jobId, owner, priority };
  try {
    return await inTurn(deps, job, 'fetch', work);
  } catch (error) {
    const bytes = roomWanted(error);
    if (bytes === undefined || deps.turns === undefined) throw error;
    return await waitForRoom({ ...deps, turns: deps.turns }, job, bytes);
  }
}

function ended(confirmed: number): FetchOutput {
  if (stopReason() === 'asked') return { done: false, confirmed };
  throw leavingFailure();
}

async function deliver(deps: FetchDeps, sources: Sources, input: FetchInput): Promise<Delivery | Paused> {
  const startedAt = new Date();
  const { uuid, jobId, order } = input;
  const { context, leave } = contextOf(deps, input);
  const plan = await planned(deps, sources, context, order.duplicates).finally(leave);
  if ('paused' in plan) return plan;
  // From here on only renames are left; a pause would leave files in the dataset that no list names.
  const files = await place(deps, input, plan.files, context);
  const { folder } = order;
  const list = { version: 1, ...(folder === undefined ? {} : { folder }), files } as const;
  const manifest = await putManifest(deps.roots, uuid, jobId, list);
  const delivery: Delivery = {
    manifest,
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    archives: files.filter(({ archive }) => archive !== undefined).length,
    ...(plan.leftOut === undefined ? {} : { leftOut: plan.leftOut }),
  };
  await leaveReceipt(deps.roots, uuid, 'fetch', jobId, {
    input: digestOf(order.source),
    output: delivery,
    startedAt,
  });
  return delivery;
}

interface Plan {
  readonly files: readonly FileEntry[];
  readonly leftOut?: LeftOut;
}

/** What is to be moved, from the plan of an earlier attempt or by fetching. The plan outlives every interruption. */
async function planned(
  deps: FetchDeps,
  sources: Sources,
  context: FetchContext,
  duplicates: UploadOrder['duplicates'],
): Promise<Plan | Paused> {
  const earlier = (await readJson(context.staging.plan)) as Plan | undefined;
  if (earlier !== undefined) return earlier;
  let leftOut: LeftOut | undefined;
  const leaveOut = (names: readonly string[]): void => {
    leftOut = names.length === 0 ? undefined : leftOutOf(names);
  };
  const fetched = await sourceOf(sources, context.source).fetch({ ...context, leaveOut });
  if ('paused' in fetched) return fetched;
  const files = await proven(context, fetched);
  if ('paused' in files) return files;
  // What told no size before it was whole.
  await context.admit(files.reduce((sum, { size }) => sum + size, 0));
  const { roots, findSame } = deps;
  if (findSame !== undefined) {
    await context.waiting(heedDuplicates(context, duplicates, files, { findSame, roots }), SLOW_DISK_MS);
  }
  const plan: Plan = { files, ...(leftOut === undefined ? {} : { leftOut }) };
  await writeJson(context.staging.plan, plan);
  return plan;
}

async function proven(
  context: FetchContext,
  fetched: readonly FetchedFile[],
): Promise<readonly FileEntry[] | Paused> {
  try {
    return await context.waiting(proveFiles(context, fetched), SLOW_DISK_MS);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    return { paused: true, confirmed: context.confirmed() };
  }
}

async function place(
  deps: FetchDeps,
  { uuid, jobId, order }: FetchInput,
  plan: readonly FileEntry[],
  context: FetchContext,
): Promise<FileEntry[]> {
  const dataset = pathOf(deps.roots, 'in', keys.received(uuid));
  const tag = digestOf(jobId).slice(0, 8);
  const files: FileEntry[] = [];
  const waiting = plan.values();
  const alive = (): void => context.advance(context.confirmed(), context.confirmed(), 'moving');
  const folderOf = (at: string): Promise<string | undefined> => folderOfFile(deps.roots, uuid, at);
  const placeSome = async (): Promise<void> => {
    for (const file of waiting) {
      const staged = `${context.staging.files}/${file.path}`;
      const path = await placeFile({ staged, dataset, file, tag, folder: order.folder, folderOf, alive });
      files.push({ ...file, path });
      context.advance(context.confirmed(), context.confirmed(), file.path);
    }
  };
  const crew = Array.from({ length: PLACED_AT_ONCE }, () => placeSome);
  await context.waiting(together(crew, context.signal), SLOW_DISK_MS);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The registry is keyed by kind, so the fetcher found takes this very source. */
function sourceOf(sources: Sources, source: Source): SourceFetcher {
  if (source.kind === 'awaited') throw new Fault('upload_interrupted');
  return sources[source.kind] as SourceFetcher;
}
