// Which keys this installation seals with: marks that tell a key from another one and nothing of the key.
import { MongoServerError } from 'mongodb';
import { COLLECTIONS } from '../contracts/documents.js';
import type { Store } from './mongo.js';

/** By the key's id. */
export type KeyMarks = Readonly<Record<string, string>>;

interface MarksDocument {
  readonly _id: 'keys';
  readonly marks: KeyMarks;
}

const rows = (store: Store) => store.db.collection<MarksDocument>(COLLECTIONS.keys);

/** The marks that are known; none at the first start. */
export async function readKeyMarks(store: Store): Promise<KeyMarks> {
  return (await rows(store).findOne({ _id: 'keys' }))?.marks ?? {};
}

/** Makes them known, unless another host was first. Returns those that are known now. */
export async function writeFirstKeyMarks(store: Store, marks: KeyMarks): Promise<KeyMarks> {
  try {
    await rows(store).insertOne({ _id: 'keys', marks });
    return marks;
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === 11_000)) throw error;
    return await readKeyMarks(store);
  }
}

export async function replaceKeyMarks(store: Store, marks: KeyMarks): Promise<void> {
  await rows(store).updateOne({ _id: 'keys' }, { $set: { marks } }, { upsert: true });
}
