// The indexes, in one place. Made at first run; a unique one that old data violates is made non-unique and reported.
import { type IndexSpecification, MongoServerError } from 'mongodb';
import { COLLECTIONS } from '../contracts/documents.js';
import { KEY_TTL_SECONDS } from './idempotency.js';
import type { Store } from './mongo.js';

interface IndexPlan {
  readonly collection: (typeof COLLECTIONS)[keyof typeof COLLECTIONS];
  readonly key: IndexSpecification;
  readonly unique?: true;
  readonly expireAfterSeconds?: number;
}

/** An index that could not be made as planned. */
export interface IndexProblem {
  readonly collection: string;
  readonly key: string;
  readonly problem: 'duplicates' | 'conflict';
}

const { datasets, jobs, history, idempotency, digests, shares, verifications, waiting, writers } =
  COLLECTIONS;

const PLANS: readonly IndexPlan[] = [
  { collection: datasets, key: { uuid: 1 }, unique: true },
  { collection: datasets, key: { status: 1, updated_at: 1 } },
  { collection: datasets, key: { job_id: 1 } },
  { collection: datasets, key: { user: 1 } },
  { collection: datasets, key: { user_email: 1, created_at: -1 } },
  { collection: datasets, key: { user_email: 1, total_size_bytes: 1 } },
  { collection: datasets, key: { slug: 1 } },
  { collection: datasets, key: { created_at: -1, uuid: -1 } },
  { collection: jobs, key: { job_id: 1 }, unique: true },
  { collection: jobs, key: { status: 1, priority: 1, created_at: 1 } },
  { collection: jobs, key: { dataset_uuid: 1 } },
  { collection: jobs, key: { worker_id: 1 } },
  { collection: jobs, key: { status: 1, started_at: 1 } },
  { collection: jobs, key: { user_email: 1, created_at: -1 } },
  { collection: jobs, key: { user_email: 1, upload_status: 1 } },
  { collection: jobs, key: { created_at: -1, job_id: -1 } },
  { collection: jobs, key: { 'receiver.until': 1 } },
  { collection: verifications, key: { job_id: 1 }, unique: true },
  { collection: verifications, key: { dataset_uuid: 1, created_at: -1 } },
  { collection: history, key: { entity: 1, at: 1 } },
  { collection: history, key: { dataset_uuid: 1, at: 1 } },
  { collection: waiting, key: { owner: 1, priority: 1, at: 1 } },
  { collection: shares, key: { until: 1 }, expireAfterSeconds: 60 },
  { collection: writers, key: { ended_at: 1 }, expireAfterSeconds: KEY_TTL_SECONDS },
  { collection: digests, key: { sha256: 1, owner: 1 } },
  { collection: idempotency, key: { created_at: 1 }, expireAfterSeconds: KEY_TTL_SECONDS },
];

/** Makes what is missing. Safe to call from several processes at once. */
export async function ensureIndexes(store: Store): Promise<readonly IndexProblem[]> {
  const problems: IndexProblem[] = [];
  for (const plan of PLANS) {
    const problem = await ensure(store, plan);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

async function ensure(store: Store, plan: IndexPlan): Promise<IndexProblem | undefined> {
  const { collection, key, unique, expireAfterSeconds } = plan;
  const words = { collection, key: Object.keys(key).join(', ') };
  try {
    await create(store, plan, {
      ...(unique ? { unique } : {}),
      ...(expireAfterSeconds === undefined ? {} : { expireAfterSeconds }),
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error;
    if (error.code === 11000) {
      await create(store, plan, {});
      return { ...words, problem: 'duplicates' };
    }
    // 85, 86: the same keys are indexed otherwise, by an older program or non-unique by us. It serves.
    if (error.code === 85 || error.code === 86) return { ...words, problem: 'conflict' };
    throw error;
  }
}

const create = (
  store: Store,
  { collection, key }: IndexPlan,
  options: { unique?: true; expireAfterSeconds?: number },
): Promise<string> => store.db.collection(collection).createIndex(key, options);
