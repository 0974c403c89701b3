// What an owner has open and stored: a counter that never reads less than there is, so that processes that take from it
// at once cannot exceed a limit together. It only grows; where it seems to reach a limit, it is counted anew.
import { type AnyBulkWriteOperation, type Filter, MongoServerError } from 'mongodb';
import { COLLECTIONS, type JobDocument } from '../contracts/documents.js';
import { Fault } from '../domain/fault.js';
import {
  type EffectiveLimits,
  effectiveLimits,
  type LimitReached,
  type OwnerLimit,
} from '../domain/limits.js';
import { CLIENT_SOURCES } from '../domain/source.js';
import { UPLOAD_MOVING, UPLOAD_OPEN } from '../domain/upload.js';
import type { Store } from './mongo.js';

/** Of one owner. `open_bytes`: announced by uploads whose bytes are not all in; `stored_bytes`: delivered into datasets. */
export interface Usage {
  readonly open_jobs: number;
  readonly open_uploads: number;
  readonly open_bytes: number;
  readonly stored_bytes: number;
}

/** What is taken for a job before its row says so. */
export interface Reservation {
  readonly jobId: string;
  readonly jobs: 0 | 1;
  readonly uploads: 0 | 1;
  readonly bytes: number;
  /** What its row says when it shows this, of a job that has one already. */
  readonly total?: number;
}

interface UsageDocument extends Usage {
  readonly _id: string;
  /** Changes with every reservation and every count. */
  readonly seq: number;
  readonly counted_at: Date;
  /** Reservations whose job's row may not show them yet. */
  readonly pending: readonly (Omit<Reservation, 'jobId'> & { readonly job: string; readonly at: Date })[];
}

const NOTHING: Usage = { open_jobs: 0, open_uploads: 0, open_bytes: 0, stored_bytes: 0 };
/** A process that reserved and did not write its row after so long (ms) has died. */
const PENDING_MS = 60_000;
/** A count is believed for so long (ms): a storm of refused requests must not count again and again. */
const FRESH_MS = 250;
const TRIES = 20;

const usageOf = (store: Store) => store.db.collection<UsageDocument>(COLLECTIONS.usage);

/**
 * Takes what a job needs from what its owner may have, in one step, whatever other processes do.
 * @returns the limit that does not allow it; nothing was taken then
 */
export async function reserve(
  store: Store,
  owner: string,
  wanted: Reservation,
  limits: EffectiveLimits,
): Promise<LimitReached | undefined> {
  const { jobId: job, ...more } = wanted;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { modifiedCount } = await usageOf(store).updateOne(room(owner, wanted, limits), {
      $inc: { open_jobs: more.jobs, open_uploads: more.uploads, open_bytes: more.bytes, seq: 1 },
      $push: { pending: { job, ...more, at: new Date() } },
    });
    if (modifiedCount === 1) return undefined;
    const known = await usageOf(store).findOne({ _id: owner });
    const isFresh = known !== null && Date.now() - known.counted_at.getTime() < FRESH_MS;
    if (!isFresh) await recount(store, owner, known);
    else {
      const why = refusal(known, wanted, limits);
      if (why !== undefined) return why;
    }
  }
  throw new Fault('store_unavailable', 'Too many requests of one owner at once change what it has open.');
}

/**
 * Takes what a job needs beyond what its row says: its source has told how much it is. Asked again it takes nothing.
 * @returns the limit that does not allow it
 */
export async function reserveMore(
  store: Store,
  owner: string,
  {
    jobId,
    bytes: total,
    ...most
  }: { readonly jobId: string } & Pick<EffectiveLimits, 'stored_bytes' | 'open_bytes'> & {
      readonly bytes: number;
    },
): Promise<LimitReached | undefined> {
  const row = await store.jobs.findOne({ job_id: jobId }, { projection: { bytes_total: 1 } });
  const bytes = total - (row?.bytes_total ?? total);
  if (bytes <= 0) return undefined;
  const limits = { ...effectiveLimits({}, {}, {}), ...most };
  const refused = await reserve(store, owner, { jobId, jobs: 0, uploads: 0, bytes, total }, limits);
  if (refused !== undefined) return refused;
  await store.jobs.updateOne({ job_id: jobId }, { $max: { bytes_total: total } });
  await settle(store, owner, jobId);
  return undefined;
}

/** The row shows it now. */
export async function settle(store: Store, owner: string, jobId: string): Promise<void> {
  await usageOf(store).updateOne({ _id: owner }, { $pull: { pending: { job: jobId } } });
}

/** Gives back what no row will show. */
export async function release(
  store: Store,
  owner: string,
  { jobId, jobs, uploads, bytes }: Reservation,
): Promise<void> {
  await usageOf(store).updateOne(
    { _id: owner, 'pending.job': jobId },
    {
      $inc: { open_jobs: -jobs, open_uploads: -uploads, open_bytes: -bytes, seq: 1 },
      $pull: { pending: { job: jobId } },
    },
  );
}

/** What is taken, counted anew: whoever is called because there is room must not meet an older count. */
export async function usageNow(store: Store, owner: string): Promise<Usage> {
  const found = () => usageOf(store).findOne({ _id: owner });
  await recount(store, owner, await found());
  return (await found()) ?? NOTHING;
}

/** What the rows say. */
export async function countUsage(store: Store, owner: string): Promise<Usage> {
  const open: Filter<JobDocument> = { user_email: owner, upload_status: { $in: [...UPLOAD_OPEN] } };
  const isMoving = { $in: ['$upload_status', [...UPLOAD_MOVING]] };
  const isSent = { $and: [isMoving, { $in: ['$source_type', [...CLIENT_SOURCES]] }] };
  const bytes = '$bytes_total';
  const [jobs, stored] = await Promise.all([
    store.jobs
      .aggregate<Omit<Usage, 'stored_bytes'>>([
        { $match: open },
        {
          $group: {
            _id: null,
            open_jobs: { $sum: 1 },
            open_uploads: { $sum: { $cond: [isSent, 1, 0] } },
            open_bytes: { $sum: { $cond: [isMoving, bytes, 0] } },
          },
        },
        { $project: { _id: 0 } },
      ])
      .next(),
    store.datasets
      .aggregate<{ bytes: number }>([
        { $match: { user_email: owner } },
        { $group: { _id: null, bytes: { $sum: '$total_size_bytes' } } },
      ])
      .next(),
  ]);
  return { ...NOTHING, ...jobs, stored_bytes: stored?.bytes ?? 0 };
}

/** The row of the owner, if it has room for what is wanted. */
function room(owner: string, wanted: Reservation, limits: EffectiveLimits): Filter<UsageDocument> {
  const { open_jobs, open_uploads, open_bytes, stored_bytes } = limits;
  const { jobs, uploads } = wanted;
  const bytes = atLeast(wanted);
  const stored = { $lte: [{ $add: ['$stored_bytes', '$open_bytes'] }, stored_bytes - bytes] };
  return {
    _id: owner,
    ...(open_jobs > 0 && jobs > 0 ? { open_jobs: { $lt: open_jobs } } : {}),
    ...(open_uploads > 0 && uploads > 0 ? { open_uploads: { $lt: open_uploads } } : {}),
    ...(open_bytes > 0 ? { open_bytes: { $lte: open_bytes - bytes } } : {}),
    ...(stored_bytes > 0 ? { $expr: stored } : {}),
  };
}

/** An upload of unknown length needs room too. */
const atLeast = ({ bytes }: Reservation): number => Math.max(1, bytes);

function refusal(used: Usage, wanted: Reservation, limits: EffectiveLimits): LimitReached | undefined {
  const { jobs, uploads } = wanted;
  const bytes = atLeast(wanted);
  const all: [OwnerLimit, number, number][] = [
    ['open_jobs', used.open_jobs, jobs],
    ['open_uploads', used.open_uploads, uploads],
    ['open_bytes', used.open_bytes, bytes],
    ['stored_bytes', used.stored_bytes + used.open_bytes, bytes],
  ];
  const found = all.find(([limit, has, more]) => limits[limit] > 0 && more > 0 && has + more > limits[limit]);
  return found && { limit: found[0], most: limits[found[0]], used: found[1] };
}

/** Counts anew, unless another process reserved meanwhile. */
async function recount(store: Store, owner: string, known: UsageDocument | null): Promise<void> {
  const pending = known?.pending ?? [];
  // First: a row that is not there yet may be counted below all the same, which errs to the safe side.
  const shown = await shownJobs(store, pending);
  const counted = await countUsage(store, owner);
  const isOver = (one: (typeof pending)[number]): boolean =>
    shown.has(one.job) || Date.now() - one.at.getTime() > PENDING_MS;
  const still = pending.filter((one) => !isOver(one));
  const sum = (name: 'jobs' | 'uploads' | 'bytes'): number => still.reduce((all, one) => all + one[name], 0);
  const values = {
    open_jobs: counted.open_jobs + sum('jobs'),
    open_uploads: counted.open_uploads + sum('uploads'),
    open_bytes: counted.open_bytes + sum('bytes'),
    stored_bytes: counted.stored_bytes,
    counted_at: new Date(),
  };
  if (known === null) return await create(store, { _id: owner, seq: 0, pending: [], ...values });
  const over = pending.filter(isOver).map(({ job }) => job);
  const write: AnyBulkWriteOperation<UsageDocument> = {
    updateOne: {
      filter: { _id: owner, seq: known.seq },
      update: { $set: values, $inc: { seq: 1 }, $pull: { pending: { job: { $in: over } } } },
    },
  };
  await usageOf(store).bulkWrite([write]);
}

async function create(store: Store, document: UsageDocument): Promise<void> {
  try {
    await usageOf(store).insertOne(document);
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === 11_000)) throw error;
  }
}

/** Those whose rows say what was taken. */
async function shownJobs(store: Store, pending: UsageDocument['pending']): Promise<ReadonlySet<string>> {
  const jobs = pending.map(({ job }) => job);
  const projection = { job_id: 1, bytes_total: 1 };
  const rows = await store.jobs.find({ job_id: { $in: jobs } }, { projection }).toArray();
  const bytes = new Map(rows.map(({ job_id, bytes_total }) => [job_id, bytes_total]));
  const isShown = ({ job, total = 0 }: UsageDocument['pending'][number]): boolean =>
    (bytes.get(job) ?? -1) >= total;
  return new Set(pending.filter(isShown).map(({ job }) => job));
}
