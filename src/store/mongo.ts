// The database: one client per process, the collections with their types, the indexes.
import { type Collection, type Db, MongoClient } from 'mongodb';
import {
  COLLECTIONS,
  type DatasetDocument,
  type HistoryDocument,
  type JobDocument,
  type VerificationDocument,
} from '../contracts/documents.js';

export interface Store {
  readonly client: MongoClient;
  readonly db: Db;
  readonly datasets: Collection<DatasetDocument>;
  readonly jobs: Collection<JobDocument>;
  readonly verifications: Collection<VerificationDocument>;
  readonly history: Collection<HistoryDocument>;
}

/** The connection string: the foreign server's, or that of the embedded one on its port. */
export const mongoUrl = ({ url, port }: { readonly url?: string; readonly port: number }): string =>
  url ?? `mongodb://127.0.0.1:${port}/?directConnection=true`;

/**
 * Connects lazily: the driver finds the server at the first operation, so a process may start before its database.
 * Writes are majority and journaled; an operation fails after `timeoutMs` without a server.
 */
export function openStore(url: string, dbName: string, timeoutMs = 5_000): Store {
  const client = new MongoClient(url, {
    serverSelectionTimeoutMS: timeoutMs,
    socketTimeoutMS: 30_000,
    writeConcern: { w: 'majority', journal: true },
    retryWrites: true,
    ignoreUndefined: true,
    appName: 'sluice',
  });
  const db = client.db(dbName);
  return {
    client,
    db,
    datasets: db.collection<DatasetDocument>(COLLECTIONS.datasets),
    jobs: db.collection<JobDocument>(COLLECTIONS.jobs),
    verifications: db.collection<VerificationDocument>(COLLECTIONS.verifications),
    history: db.collection<HistoryDocument>(COLLECTIONS.history),
  };
}

/** Whether the error means that the database could not be reached (as against: refused what we asked). */
export function isStoreDown(error: unknown): boolean {
  const name = error instanceof Error ? error.name : '';
  return /^Mongo(Network|ServerSelection|Topology|NotConnected|Pool|WaitQueue)/.test(name);
}
