// Who may write the bytes of an upload that a client fills: one process at a time, by a lease that a dead one loses.
// All times are the database's, so clocks that differ do no harm; the holder itself counts on its own clock from
// before it asked.
import type { Collection } from 'mongodb';
import { COLLECTIONS } from '../contracts/documents.js';
import type { Store } from './mongo.js';

/** How long a lease lasts, milliseconds. */
export const WRITER_LEASE_MS = 10_000;

interface WriterDocument {
  readonly _id: string;
  readonly holder?: string;
  readonly until?: Date;
  /** Counts the times it was taken. */
  readonly fence?: number;
  /** Who held it before this holder. */
  readonly prior?: string;
  /** Nothing may be written any more. */
  readonly closed?: boolean;
}

export type WriterClaim =
  | { readonly state: 'mine'; readonly fence: number; readonly prior: string | undefined }
  | { readonly state: 'held' }
  | { readonly state: 'closed' };

/** Takes the lease of an upload (or of a part of it), when it is free, ran out, or is this holder's already. */
export async function takeWriter(
  store: Store,
  name: string,
  holder: string,
  ms = WRITER_LEASE_MS,
): Promise<WriterClaim> {
  const free = {
    $and: [
      { $ne: ['$closed', true] },
      { $or: [{ $eq: ['$holder', holder] }, { $lt: [{ $ifNull: ['$until', new Date(0)] }, '$$NOW'] }] },
    ],
  };
  const ifFree = (value: unknown, old: string) => ({ $cond: ['$free', value, old] });
  const after = await writers(store).findOneAndUpdate(
    { _id: name },
    [
      { $set: { free } },
      {
        $set: {
          prior: ifFree({ $ifNull: ['$holder', ''] }, '$prior'),
          holder: ifFree(holder, '$holder'),
          until: ifFree({ $add: ['$$NOW', ms] }, '$until'),
          fence: ifFree({ $add: [{ $ifNull: ['$fence', 0] }, 1] }, '$fence'),
        },
      },
      { $unset: 'free' },
    ],
    { upsert: true, returnDocument: 'after' },
  );
  if (after?.closed === true) return { state: 'closed' };
  if (after?.holder !== holder) return { state: 'held' };
  return { state: 'mine', fence: after.fence ?? 0, prior: after.prior === '' ? undefined : after.prior };
}

/** Returns false when somebody else has it by now, or it was closed. */
export async function renewWriter(
  store: Store,
  name: string,
  { holder, fence }: { readonly holder: string; readonly fence: number },
  ms = WRITER_LEASE_MS,
): Promise<boolean> {
  const { matchedCount } = await writers(store).updateOne(
    { _id: name, holder, fence, closed: { $ne: true } },
    [{ $set: { until: { $add: ['$$NOW', ms] } } }],
  );
  return matchedCount === 1;
}

/** Lets the next one take it at once. */
export async function releaseWriter(
  store: Store,
  name: string,
  { holder, fence }: { readonly holder: string; readonly fence: number },
): Promise<void> {
  await writers(store).updateOne({ _id: name, holder, fence }, { $set: { until: new Date(0) } });
}

/** From now on nobody gets or renews the lease: the upload has ended. */
export async function closeWriter(store: Store, name: string): Promise<void> {
  await writers(store).updateOne(
    { _id: name },
    { $set: { closed: true, ended_at: new Date() } },
    { upsert: true },
  );
}

/** Whether the upload has ended, so that nobody writes to it any more. */
export const isClosed = async (store: Store, name: string): Promise<boolean> =>
  (await writers(store).findOne({ _id: name }))?.closed === true;

const writers = (store: Store): Collection<WriterDocument> => store.db.collection(COLLECTIONS.writers);
