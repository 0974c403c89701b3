// Limits that somebody set, and how much of a shared one each process uses.
import { COLLECTIONS } from '../contracts/documents.js';
import type { LimitScope, LimitValues } from '../domain/limits.js';
import type { Store } from './mongo.js';

export interface LimitDocument {
  readonly _id: LimitScope;
  readonly values: LimitValues;
  readonly by: string;
  readonly updated_at: Date;
}

const limits = (store: Store) => store.db.collection<LimitDocument>(COLLECTIONS.limits);

/** Those that are set among these, by scope. */
export async function readLimits(
  store: Store,
  scopes: readonly LimitScope[],
): Promise<ReadonlyMap<LimitScope, LimitValues>> {
  const found = await limits(store)
    .find({ _id: { $in: [...scopes] } })
    .toArray();
  return new Map(found.map(({ _id, values }) => [_id, values]));
}

/** Whether anybody's bandwidth has a limit. */
export async function isBandwidthLimited(store: Store): Promise<boolean> {
  const some = { 'values.bytes_per_second': { $gt: 0 } };
  return (await limits(store).findOne(some, { projection: { _id: 1 } })) !== null;
}

/** All that are set, at most 1,000. */
export async function listLimits(store: Store): Promise<readonly LimitDocument[]> {
  return await limits(store).find().sort({ _id: 1 }).limit(1_000).toArray();
}

/** Changes the ones that are named: null takes a limit away. Returns what is set now. */
export async function changeLimits(
  store: Store,
  scope: LimitScope,
  change: Readonly<Record<string, number | null | undefined>>,
  by: string,
): Promise<LimitValues> {
  const named = Object.entries(change).filter(([, value]) => value !== undefined);
  const set = named.filter(([, value]) => value !== null).map(([name, value]) => [`values.${name}`, value]);
  const unset = named.filter(([, value]) => value === null).map(([name]) => [`values.${name}`, '']);
  const row = await limits(store).findOneAndUpdate(
    { _id: scope },
    {
      $set: { ...Object.fromEntries(set), by, updated_at: new Date() },
      ...(unset.length === 0 ? {} : { $unset: Object.fromEntries(unset) }),
    },
    { upsert: true, returnDocument: 'after' },
  );
  const values = row?.values ?? {};
  if (Object.keys(values).length === 0) {
    const empty = [{ values: {} }, { values: { $exists: false } }];
    await limits(store).deleteOne({ _id: scope, $or: empty });
  }
  return values;
}

interface ShareDocument {
  readonly _id: string;
  readonly until: Date;
  readonly using: readonly { readonly scope: LimitScope; readonly count: number }[];
}

/** A process that is not heard of for so long (ms) uses nothing any more. */
export const SHARE_MS = 4_000;

/**
 * Says how many transfers of this process go under each limit.
 * @returns the same of all processes that were heard of lately, with this one
 */
export async function shareLimits(
  store: Store,
  holder: string,
  using: ReadonlyMap<LimitScope, number>,
): Promise<ReadonlyMap<LimitScope, number>> {
  const shares = store.db.collection<ShareDocument>(COLLECTIONS.shares);
  const now = Date.now();
  const mine = [...using].map(([scope, count]) => ({ scope, count }));
  await shares.updateOne(
    { _id: holder },
    { $set: { until: new Date(now + SHARE_MS), using: mine } },
    { upsert: true, writeConcern: { w: 1 } },
  );
  const all = await shares.find({ until: { $gt: new Date(now) }, _id: { $ne: holder } }).toArray();
  const sums = new Map(using);
  for (const { scope, count } of all.flatMap((share) => share.using)) {
    const sum = sums.get(scope);
    if (sum !== undefined) sums.set(scope, sum + count);
  }
  return sums;
}

/** This process uses none of them any more. */
export async function leaveLimits(store: Store, holder: string): Promise<void> {
  await store.db.collection<ShareDocument>(COLLECTIONS.shares).deleteOne({ _id: holder });
}
