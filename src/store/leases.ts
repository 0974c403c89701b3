// Leases: at most one process does a certain thing at a time; a dead holder loses it by itself.
import { MongoServerError } from 'mongodb';
import { COLLECTIONS } from '../contracts/documents.js';
import type { Store } from './mongo.js';

interface LeaseDocument {
  readonly _id: string;
  readonly holder: string;
  readonly until: Date;
}

/** Takes or renews a lease for `ms`. Returns whether this holder has it now. */
export async function takeLease(store: Store, name: string, holder: string, ms: number): Promise<boolean> {
  const leases = store.db.collection<LeaseDocument>(COLLECTIONS.leases);
  const now = new Date();
  try {
    await leases.updateOne(
      { _id: name, $or: [{ holder }, { until: { $lt: now } }] },
      { $set: { holder, until: new Date(now.getTime() + ms) } },
      { upsert: true },
    );
    return true;
  } catch (error) {
    // The upsert met the row of another holder.
    if (error instanceof MongoServerError && error.code === 11_000) return false;
    throw error;
  }
}
