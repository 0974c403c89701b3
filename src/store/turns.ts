// How many transfers of an owner run at once, over all processes: each has a turn with a lease; who gets none waits here.
import { COLLECTIONS } from '../contracts/documents.js';
import type { Priority } from '../domain/priority.js';
import type { Store } from './mongo.js';

/** How long a turn lasts without being renewed, and how often it is (milliseconds). */
const TURN_MS = 20_000;
export const TURN_RENEW_MS = 5_000;

interface TurnsDocument {
  /** The owner. */
  readonly _id: string;
  readonly running: readonly { readonly job: string; readonly until: Date }[];
}

/** A job that waits; its workflow is told when it is its turn. */
export interface Waiting {
  readonly jobId: string;
  readonly owner: string;
  readonly workflowId: string;
  readonly priority: Priority;
  /** Bytes that need room before it may go on. */
  readonly bytes?: number;
}

interface WaitingDocument extends Omit<Waiting, 'jobId'> {
  readonly _id: string;
  readonly at: Date;
}

const turns = (store: Store) => store.db.collection<TurnsDocument>(COLLECTIONS.turns);
const waiting = (store: Store) => store.db.collection<WaitingDocument>(COLLECTIONS.waiting);

// By the clock of the database: those of the hosts may differ.
const UNTIL = { $add: ['$$NOW', TURN_MS] };
const LIVING = {
  $filter: { input: { $ifNull: ['$running', []] }, as: 'one', cond: { $gt: ['$$one.until', '$$NOW'] } },
};

/** Takes a turn, or renews the one that the job has. Returns whether it has one now. */
export async function takeTurn(store: Store, owner: string, jobId: string, most: number): Promise<boolean> {
  const others = { $filter: { input: LIVING, as: 'one', cond: { $ne: ['$$one.job', jobId] } } };
  const mine = [{ job: jobId, until: UNTIL }];
  const taken = {
    $cond: [{ $lt: [{ $size: '$running' }, most] }, { $concatArrays: ['$running', mine] }, '$running'],
  };
  const row = await turns(store).findOneAndUpdate(
    { _id: owner },
    [{ $set: { running: others } }, { $set: { running: taken } }],
    { upsert: true, returnDocument: 'after' },
  );
  return row?.running.some(({ job }) => job === jobId) ?? false;
}

export async function renewTurn(store: Store, owner: string, jobId: string): Promise<void> {
  const renewed = { $cond: [{ $eq: ['$$one.job', jobId] }, { job: jobId, until: UNTIL }, '$$one'] };
  await turns(store).updateOne({ _id: owner, 'running.job': jobId }, [
    { $set: { running: { $map: { input: '$running', as: 'one', in: renewed } } } },
  ]);
}

export async function endTurn(store: Store, owner: string, jobId: string): Promise<void> {
  await turns(store).updateOne({ _id: owner }, { $pull: { running: { job: jobId } } });
}

/** Turns that run now. */
export async function runningTurns(store: Store, owner: string): Promise<number> {
  const row = await turns(store)
    .aggregate<{ count: number }>([{ $match: { _id: owner } }, { $project: { count: { $size: LIVING } } }])
    .next();
  return row?.count ?? 0;
}

export async function waitForTurn(store: Store, { jobId, ...rest }: Waiting): Promise<void> {
  await waiting(store).updateOne(
    { _id: jobId },
    { $set: rest, $setOnInsert: { at: new Date() } },
    { upsert: true },
  );
}

/** It waits no longer. */
export async function leaveLine(store: Store, jobId: string): Promise<void> {
  await waiting(store).deleteOne({ _id: jobId });
}

/** The next in the owner's line, taken out of it: the most urgent, of those the one that waits longest. */
export async function nextInLine(store: Store, owner: string): Promise<Waiting | undefined> {
  const row = await waiting(store).findOneAndDelete({ owner }, { sort: FIRST });
  return row === null ? undefined : waitingOf(row);
}

/** Bytes that the next in the owner's line needs room for; nothing when nobody waits. */
export async function nextBytes(store: Store, owner: string): Promise<number | undefined> {
  const row = await waiting(store).findOne({ owner }, { sort: FIRST });
  return row === null ? undefined : (row.bytes ?? 0);
}

const FIRST = { priority: 1, at: 1 } as const;

const waitingOf = ({ _id: jobId, owner, workflowId, priority, bytes }: WaitingDocument): Waiting => ({
  jobId,
  owner,
  workflowId,
  priority,
  ...(bytes === undefined ? {} : { bytes }),
});

/** Owners of whom somebody waits. */
export const ownersInLine = async (store: Store): Promise<readonly string[]> =>
  await waiting(store).distinct('owner');
