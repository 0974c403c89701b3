// Idempotency keys: the first answer to a create, kept for a week, also over restarts.
import { type Collection, MongoServerError } from 'mongodb';
import { COLLECTIONS } from '../contracts/documents.js';
import { Fault } from '../domain/fault.js';
import type { Store } from './mongo.js';

/** How long a request that does not renew its key counts as running, and how long answers are kept (milliseconds). */
export const KEY_LEASE_MS = 30_000;
export const KEY_TTL_SECONDS = 7 * 24 * 3600;

/** An answer as it was sent. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}

/** What a request made under a key is going to create: a second try after a death makes the same things. */
export interface KeyIds {
  readonly uuid: string;
  readonly jobId: string;
}

/** What makes a request that request. */
export interface RequestMark {
  readonly fingerprint: string;
  /** Of its body, as announced, bytes; 0 = not known. Tells files apart that have the same names. */
  readonly length: number;
}

interface KeyDocument extends RequestMark {
  readonly _id: string;
  readonly holder: string;
  readonly lease: Date;
  readonly ids: KeyIds;
  readonly answer: KeptAnswer | null;
  readonly created_at: Date;
}

export type KeyClaim =
  | { readonly state: 'answered'; readonly answer: KeptAnswer }
  | {
      readonly state: 'mine';
      readonly ids: KeyIds;
      /** The first request under this key died; what it had begun carries these ids. */
      readonly takenOver: boolean;
    };

/**
 * Claims a key for a request.
 * @throws Fault idempotency_mismatch (other request), idempotency_running (the first one has no answer yet)
 */
export async function claimKey(
  store: Store,
  key: string,
  request: RequestMark,
  holder: string,
  ids: KeyIds,
): Promise<KeyClaim> {
  const now = new Date();
  const { fingerprint, length } = request;
  const fresh = {
    _id: key,
    fingerprint,
    length,
    holder,
    lease: leaseEnd(now),
    ids,
    answer: null,
    created_at: now,
  };
  if (await inserted(store, fresh)) return { state: 'mine', ids, takenOver: false };
  const known = await keys(store).findOne({ _id: key });
  if (known === null) throw new Fault('idempotency_running');
  if (known.fingerprint !== fingerprint) throw new Fault('idempotency_mismatch');
  if (known.answer !== null) {
    if (length > 0 && known.length > 0 && known.length !== length) throw new Fault('idempotency_mismatch');
    return { state: 'answered', answer: known.answer };
  }
  const { matchedCount } = await keys(store).updateOne(
    { _id: key, answer: null, lease: { $lt: now } },
    { $set: { length, holder, lease: leaseEnd(now) } },
  );
  if (matchedCount === 0) throw new Fault('idempotency_running');
  return { state: 'mine', ids: known.ids, takenOver: true };
}

/** Says that the request under this key still runs. */
export async function renewKey(store: Store, key: string, holder: string): Promise<void> {
  await keys(store).updateOne({ _id: key, holder }, { $set: { lease: leaseEnd(new Date()) } });
}

/** Another job carries the request from now on (the bytes of the first one are gone). */
export async function rekey(store: Store, key: string, holder: string, ids: KeyIds): Promise<void> {
  await keys(store).updateOne({ _id: key, holder }, { $set: { ids } });
}

export async function keepAnswer(
  store: Store,
  key: string,
  holder: string,
  answer: KeptAnswer,
): Promise<void> {
  await keys(store).updateOne({ _id: key, holder }, { $set: { answer } });
}

/** The request failed after it had made something: the same request may come again at once, and gets the same ids. */
export async function lapseKey(store: Store, key: string, holder: string): Promise<void> {
  await keys(store).updateOne({ _id: key, holder, answer: null }, { $set: { lease: new Date(0) } });
}

/** The request failed without making anything: the key may be used again. */
export async function releaseKey(store: Store, key: string, holder: string): Promise<void> {
  await keys(store).deleteOne({ _id: key, holder, answer: null });
}

const keys = (store: Store): Collection<KeyDocument> => store.db.collection(COLLECTIONS.idempotency);
const leaseEnd = (now: Date): Date => new Date(now.getTime() + KEY_LEASE_MS);

async function inserted(store: Store, document: KeyDocument): Promise<boolean> {
  try {
    await keys(store).insertOne(document);
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === 11000) return false;
    throw error;
  }
}
