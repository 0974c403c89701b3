// What changes in datasets and jobs, as it happens; a token says where to go on.
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
  /** Where this feed stands; undefined before the first word of the server. */
  token(): string | undefined;
  /** Ends the iteration. */
  close(): Promise<void>;
}

export interface ChangeFilter {
  readonly dataset?: string | undefined;
  readonly user_email?: string | undefined;
}

/** Fields whose change is progress; anything else is state. */
const PROGRESS = /^(updated_at|bytes_uploaded|bytes_total|file_count|receiver(\.|$)|sluice\.progress(\.|$))/;

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
  let first: unknown;
  try {
    first = await stream.tryNext();
  } catch (error) {
    await stream.close();
    throw error;
  }
  return {
    token: () => tokenText(stream.resumeToken),
    close: () => stream.close(),
    async *[Symbol.asyncIterator]() {
      if (first !== null) yield* changeOf(first as RawChange);
      while (!stream.closed) {
        const next = await nextOrEnd(stream);
        if (next === undefined) return;
        yield* changeOf(next as RawChange);
      }
    },
  };
}

/** Whether the error says that the token cannot be resumed: foreign, broken, or older than the server remembers. */
export function isLostToken(error: unknown): boolean {
  if (!(error instanceof MongoServerError)) return false;
  return [9, 260, 280, 286, 40_647, 40_649, 50_811].includes(Number(error.code));
}

interface RawChange {
  readonly _id: ResumeToken;
  readonly ns: { readonly coll: string };
  readonly fullDocument?: (DatasetDocument | JobDocument) | null;
  readonly updateDescription?: { readonly updatedFields?: Record<string, unknown> };
}

async function nextOrEnd(stream: { closed: boolean; next(): Promise<unknown> }): Promise<unknown> {
  try {
    return await stream.next();
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
