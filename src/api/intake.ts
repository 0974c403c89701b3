// Intake: the record comes first, then the bytes, then the word to the workflow. What was recorded is never lost:
// while this process holds the upload it renews a lease, and whoever finds the lease expired finishes its work.
import { setTimeout as sleep } from 'node:timers/promises';
import { quoteName } from '../bytes/safe-names.js';
import type { DatasetDocument } from '../contracts/documents.js';
import { formatOf, parametersOf } from '../contracts/formats/registry.js';
import type { DatasetInput, UploadOrder } from '../contracts/workflow.js';
import { Fault, faultOf } from '../domain/fault.js';
import { NORMAL_PRIORITY, type Priority } from '../domain/priority.js';
import { CLIENT_SOURCES } from '../domain/source.js';
import type { DuplicateRule } from '../domain/upload.js';
import { amendDataset, findDataset, insertDataset } from '../store/datasets.js';
import { insertFirstHistory } from '../store/history-read.js';
import { findJob, insertJob } from '../store/jobs.js';
import { isStoreDown } from '../store/mongo.js';
import {
  clearReceiver,
  keepOrder,
  RECEIVER_RENEW_MS,
  type Received,
  renewReceiver,
} from '../store/receivers.js';
import { withinLimits } from './allowance.js';
import type { ApiDeps } from './deps.js';
import { resolveDataset } from './identifier.js';
import { queueNotice, servedQueues } from './queues.js';
import { type DatasetFields, datasetInput, newDataset, newUploadJob } from './records.js';

/** What a client asks for, after checking. */
export interface UploadWish {
  readonly target: UploadTarget;
  readonly seal: boolean;
  /** See UploadOrder. */
  readonly folder?: string | undefined;
  /** See UploadOrder. */
  readonly alone?: boolean;
  readonly duplicates?: DuplicateRule;
  readonly replaces?: string | undefined;
  /** Left out: normal. */
  readonly priority?: Priority | undefined;
  /** Who asks; default: the owner. */
  readonly by?: string | undefined;
}

/**
 * `fields`: a new dataset; with a `uuid` of the client's own making, or the one that has it meanwhile, since the files
 * of a directory may come all at once. `dataset`: the uuid of one that exists. `find`: words for one that exists.
 */
export type UploadTarget =
  | { readonly fields: DatasetFields; readonly uuid?: string }
  | { readonly dataset: string }
  | { readonly find: string; readonly owner: string };

/** An upload with its rows. */
export interface Recorded {
  readonly row: DatasetDocument;
  readonly order: UploadOrder;
  /** The dataset was made by this request. */
  readonly fresh: boolean;
}

const NO_ENGINE = 'Temporal cannot be reached at the moment; it starts when Temporal answers';

/** @throws Fault store_unavailable */
export async function requireStore({ store }: ApiDeps): Promise<void> {
  try {
    await store.db.command({ ping: 1 }, { timeoutMS: 2_000 });
  } catch (error) {
    throw new Fault('store_unavailable', undefined, { cause: error });
  }
}

/**
 * What cannot be converted with these parameters is refused before anything is recorded.
 * @throws Fault invalid_field
 */
export function requireParameters({ sensor, convert, parameters }: DatasetFields): void {
  parametersOf(formatOf(sensor, convert), parameters);
}

/**
 * A target that this server does not have would be missed only when the work is done.
 * @throws Fault invalid_field
 */
export function requireTargets(
  { config }: ApiDeps,
  { publish_to = [] }: Pick<DatasetFields, 'publish_to'>,
): void {
  const known = (config.targets ?? []).map(({ name }) => name);
  const unknown = publish_to.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const all = known.length === 0 ? 'this server has none' : `this server has ${known.join(', ')}`;
  throw new Fault('invalid_field', `publish_to: no target ${unknown.map(quoteName).join(', ')}; ${all}.`);
}

export interface NewRecord {
  readonly uuid: string;
  readonly jobId: string;
  readonly source: UploadOrder['source'];
  readonly words: string;
  /** Announced; 0 = unknown. */
  readonly bytes: number;
}

/**
 * Makes the rows of an upload, and of its dataset when that is new.
 * @throws Fault not_found, conflict (a cancelled dataset), invalid_field (parameters, `replaces`), and those
 * of `withinLimits`
 */
export async function record(deps: ApiDeps, wish: UploadWish, upload: NewRecord): Promise<Recorded> {
  const target = await foundTarget(deps, wish.target);
  // Before anything is written: a refusal leaves nothing.
  const uuid = 'dataset' in target ? target.dataset : (target.uuid ?? upload.uuid);
  if (wish.replaces !== undefined) await requireReplaceable(deps, wish.replaces, uuid);
  if ('fields' in target) {
    requireParameters(target.fields);
    requireTargets(deps, target.fields);
  }
  const owner = 'fields' in target ? target.fields.user_email : await ownerOf(deps, uuid);
  const { jobId, source, bytes } = upload;
  const isSent = CLIENT_SOURCES.some((kind) => kind === source.kind);
  const wanted = { jobId, jobs: 1, uploads: isSent ? 1 : 0, bytes } as const;
  return await withinLimits(deps, owner, wanted, async () => {
    const { row, fresh } = await recordDataset(deps, target, { ...upload, uuid });
    return await recordJob(deps, wish, upload, { row, fresh });
  });
}

async function recordJob(
  { store, instance: holder }: ApiDeps,
  wish: UploadWish,
  { jobId, source, words, bytes }: NewRecord,
  { row, fresh }: Pick<Recorded, 'row' | 'fresh'>,
): Promise<Recorded> {
  const owner = row.user_email ?? row.user;
  const by = wish.by ?? owner;
  const { seal, replaces, folder, priority = NORMAL_PRIORITY, duplicates = 'keep' } = wish;
  const order: UploadOrder = {
    jobId,
    source,
    seal,
    by,
    priority,
    ...(replaces === undefined ? {} : { replaces }),
    ...(folder === undefined ? {} : { folder }),
    ...(wish.alone === true ? { alone: true as const } : {}),
    ...(duplicates === 'keep' ? {} : { duplicates }),
  };
  await insertJob(store, newUploadJob({ order, uuid: row.uuid, owner, source: words, bytes, holder }));
  const at = new Date();
  const told = { dataset_uuid: row.uuid, to: 'uploading', at, actor: by };
  await Promise.all([
    insertFirstHistory(store, { entity: `upload:${jobId}`, ...told }),
    ...(fresh ? [insertFirstHistory(store, { entity: `dataset:${row.uuid}`, ...told })] : []),
  ]);
  return { row, order, fresh };
}

async function ownerOf({ store }: ApiDeps, uuid: string): Promise<string> {
  const row = await findDataset(store, uuid);
  if (row === null) throw new Fault('not_found', 'There is no dataset with this uuid.');
  return row.user_email ?? row.user;
}

/** With the dataset that the words of the client stand for. @throws Fault not_found */
async function foundTarget(
  { store }: ApiDeps,
  target: UploadTarget,
): Promise<Exclude<UploadTarget, { find: string }>> {
  if (!('find' in target)) return target;
  return { dataset: await resolveDataset(store, target.find, target.owner) };
}

async function recordDataset(
  deps: ApiDeps,
  target: Exclude<UploadTarget, { find: string }>,
  { uuid, jobId, source }: { uuid: string; jobId: string; source: UploadOrder['source'] },
): Promise<{ row: DatasetDocument; fresh: boolean }> {
  if ('fields' in target) {
    const made = newDataset(uuid, target.fields, { status: 'uploading', sourceType: source.kind, jobId });
    if (await insertDataset(deps.store, made)) return { row: made, fresh: true };
  }
  const row = await findDataset(deps.store, 'dataset' in target ? target.dataset : uuid);
  if (row === null) throw new Fault('not_found', 'There is no dataset with this uuid.');
  if ('fields' in target && (row.user_email ?? row.user) !== target.fields.user_email)
    throw new Fault('not_found', 'There is no dataset of this owner with this uuid.');
  if (row.status === 'cancelled') {
    throw new Fault('conflict', 'cannot upload: the dataset is "cancelled"; now open: nothing');
  }
  await amendDataset(deps.store, row.uuid, { job_id: jobId });
  return { row, fresh: false };
}

async function requireReplaceable({ store }: ApiDeps, jobId: string, uuid: string): Promise<void> {
  const job = await findJob(store, jobId);
  if (job?.dataset_uuid === uuid) return;
  throw new Fault('invalid_field', 'replaces: the dataset has no upload with this job id.');
}

/**
 * Gives the order to the workflow. When Temporal is away the order waits here (and in its row), and goes on trying.
 * @returns a notice for the client, when there is something to say
 */
export async function handOver(
  deps: ApiDeps,
  { row, fresh }: Recorded,
  order: UploadOrder,
  received?: Received,
): Promise<string | undefined> {
  const { store, engine, config, instance, log } = deps;
  const input = datasetInput(row, { fresh, reason: 'delivery', by: order.by, quietMs: config.quietMs });
  try {
    await keepOrder(store, order, received);
  } catch (error) {
    // The workflow needs no database to start, and the mirror will show what it does.
    if (!isStoreDown(error)) throw error;
    log.warn({ jobId: order.jobId }, 'the database is away; the order goes to the workflow alone');
  }
  try {
    await engine.deliver(input, order);
  } catch (error) {
    if (faultOf(error)?.code !== 'engine_unavailable') throw error;
    // The call may have come through although its answer did not, and its run may be over by the next try.
    void tryOn(deps, { ...input, fresh: false }, order);
    return NO_ENGINE;
  }
  await clearReceiver(store, order.jobId, instance).catch((error: unknown) => {
    log.warn({ err: error, jobId: order.jobId }, 'the lease of an upload could not be ended');
  });
  return queueNotice(await servedQueues(deps));
}

/** Tries until Temporal answers; keeps the lease meanwhile, so that nobody else does the same. */
async function tryOn(deps: ApiDeps, input: DatasetInput, order: UploadOrder): Promise<void> {
  const { store, engine, instance, closing, log } = deps;
  while (!closing.aborted) {
    try {
      await sleep(RECEIVER_RENEW_MS, undefined, { signal: closing });
      if (!(await renewReceiver(store, order.jobId, instance))) return;
      await engine.deliver(input, order);
      await clearReceiver(store, order.jobId, instance);
      return;
    } catch (error) {
      log.warn({ err: error, jobId: order.jobId }, 'the workflow could not be told yet');
    }
  }
}
