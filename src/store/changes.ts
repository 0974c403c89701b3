// What changes in datasets and jobs, as it happens; a token says where to go on.
import { once } from 'node:events';
import { MongoServerError, type ResumeToken } from 'mongodb';
import { COLLECTIONS, type DatasetDocument, type JobDocument } from '../contracts/documents.js';
import type { Store } from './mongo.js';

export interface Change {
  readonly collection: string;
  /** The row as it is now. */
  readonly document: DatasetDocument | JobDocument;
  /** A state changed, as against: only progress. */
  readonly state: boolean;
  readonly token: string;
}

export interface ChangeFeed extends AsyncIterable<Change> {
  /** Where this feed began. */
  token(): string | undefined;
  /** Ends the iteration. */
  close(): Promise<void>;
}

export interface ChangeFilter {
  readonly dataset?: string | undefined;
  readonly user_email?: string | undefined;
}

/** Fields whose change is progress; anything else is state. */
const PROGRESS =
  /^(updated_at|worker_id|bytes_uploaded|bytes_total|file_count|receiver(\.|$)|sluice\.progress(\.|$))/;

/** Opens the feed at the token, or now. @throws the server's error for a token it does not know (isLostToken) */
export async function openChanges(store: Store, filter: ChangeFilter, after?: string): Promise<ChangeFeed> {
  const { dataset, user_email } = filter;
  const ours = {
    'ns.coll': { $in: [COLLECTIONS.datasets, COLLECTIONS.jobs] },
    operationType: { $in: ['insert', 'update', 'replace'] },
    ...(user_email === undefined ? {} : { 'fullDocument.user_email': user_email }),
    ...(dataset === undefined
      ? {}
      : { $or: [{ 'fullDocument.uuid': dataset }, { 'fullDocument.dataset_uuid': dataset }] }),
  };
  const stream = store.db.watch<DatasetDocument | JobDocument>([{ $match: ours }], {
    fullDocument: 'updateLookup',
    ...(after === undefined ? {} : { resumeAfter: { _data: after } }),
  });
  // The first question opens the cursor, so that a bad token is known here and nothing after this is missed.
  // Its answer may be long in coming; that the cursor is open shows in the stream's first token.
  const first = stream.next();
  first.catch(() => undefined);
  try {
    await Promise.race([first, once(stream, 'resumeTokenChanged')]);
  } catch (error) {
    await stream.close();
    throw error;
  }
  // Resumed, the feed stands where the caller stood; the server's token may be that of the first change already.
  const start = after ?? tokenText(stream.resumeToken);
  return {
    token: () => start,
    close: () => stream.close(),
    async *[Symbol.asyncIterator]() {
      for (let next: Promise<unknown> = first; ; next = stream.next()) {
        const change = await orEnd(stream, next);
        if (change === undefined) return;
        yield* changeOf(change as RawChange);
      }
    },
  };
}

/**
 * Whether the server refused the token: foreign, broken (several codes), or older than it remembers. Anything else that
 * it may refuse shows again when the feed is opened without a token, so no code needs to be told from another.
 */
export function isLostToken(error: unknown): boolean {
  return error instanceof MongoServerError;
}

interface RawChange {
  readonly _id: ResumeToken;
  readonly ns: { readonly coll: string };
  readonly fullDocument?: (DatasetDocument | JobDocument) | null;
  readonly updateDescription?: { readonly updatedFields?: Record<string, unknown> };
}

async function orEnd(stream: { closed: boolean }, next: Promise<unknown>): Promise<unknown> {
  try {
    return await next;
  } catch (error) {
    if (stream.closed) return undefined;
    throw error;
  }
}

function* changeOf({ _id, ns, fullDocument, updateDescription }: RawChange): Generator<Change> {
  const token = tokenText(_id);
  if (!fullDocument || token === undefined) return;
  const fields = updateDescription?.updatedFields;
  const state = fields === undefined || Object.keys(fields).some((field) => !PROGRESS.test(field));
  yield { collection: ns.coll, document: fullDocument, state, token };
}

function tokenText(token: unknown): string | undefined {
  const { _data } = (token ?? {}) as { _data?: unknown };
  return typeof _data === 'string' ? _data : undefined;
}
