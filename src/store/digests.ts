// Which bytes lie where: one row for each file of each dataset, so that the same bytes are known when they come again.
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { FileEntry } from '../contracts/claim.js';
import { COLLECTIONS, type DatasetDocument, type DuplicateMark } from '../contracts/documents.js';
import type { Store } from './mongo.js';

interface DigestDocument {
  /** uuid/path */
  readonly _id: string;
  readonly sha256: string;
  readonly size: number;
  readonly uuid: string;
  readonly path: string;
  readonly owner: string;
  /** As it was when the file came; who may see it now says the dataset's row. */
  readonly is_public: boolean;
}

/** A file of another dataset with the same bytes. */
export interface SameFile {
  readonly sha256: string;
  readonly uuid: string;
  /** Of the dataset. */
  readonly name: string;
  readonly path: string;
}

const AT_ONCE = 1_000;

/** Notes the files of a dataset; may be repeated. */
export async function noteFiles(
  store: Store,
  { uuid, user, user_email, is_public }: DatasetDocument,
  files: readonly FileEntry[],
): Promise<void> {
  const owner = user_email ?? user;
  for (const some of batches(files)) {
    const rows = some.map(
      ({ path, size, sha256 }): AnyBulkWriteOperation<DigestDocument> => ({
        updateOne: {
          filter: { _id: `${uuid}/${path}` },
          update: { $set: { sha256, size, uuid, path, owner, is_public: is_public === true } },
          upsert: true,
        },
      }),
    );
    await digests(store).bulkWrite(rows, { ordered: false });
  }
}

/**
 * Files of other datasets with the bytes of these, as far as the owner may know of them: in datasets of their own, and
 * in public ones. At most one for each digest and dataset.
 */
export async function findSame(
  store: Store,
  { uuid, user, user_email }: DatasetDocument,
  files: readonly Pick<FileEntry, 'sha256'>[],
): Promise<readonly SameFile[]> {
  const owner = user_email ?? user;
  const wanted = [...new Set(files.map(({ sha256 }) => sha256))];
  const found: SameFile[] = [];
  for (const some of batches(wanted)) {
    found.push(
      ...(await digests(store)
        .aggregate<SameFile>([
          {
            $match: {
              sha256: { $in: some },
              $or: [{ owner }, { is_public: true }],
              uuid: { $ne: uuid },
            },
          },
          { $group: { _id: { sha256: '$sha256', uuid: '$uuid' }, path: { $min: '$path' } } },
          { $lookup: visible(owner) },
          { $unwind: '$dataset' },
          { $sort: { 'dataset.created_at': 1, '_id.uuid': 1 } },
          { $limit: 20 * AT_ONCE },
          { $project: { _id: 0, sha256: '$_id.sha256', uuid: '$_id.uuid', name: '$dataset.name', path: 1 } },
        ])
        .toArray()),
    );
  }
  return found;
}

/** The dataset of a file, when the owner may see it and it is in use. */
const visible = (owner: string) => ({
  from: COLLECTIONS.datasets,
  localField: '_id.uuid',
  foreignField: 'uuid',
  pipeline: [
    {
      $match: {
        status: { $ne: 'cancelled' },
        $or: [{ user: owner }, { user_email: owner }, { is_public: true }],
      },
    },
    { $project: { _id: 0, name: 1, created_at: 1 } },
  ],
  as: 'dataset',
});

/** The other dataset that holds most of the files; of several the oldest. */
export function duplicateMark(
  files: readonly Pick<FileEntry, 'sha256'>[],
  same: readonly SameFile[],
): DuplicateMark | null {
  const byDataset = new Map<string, SameFile[]>();
  for (const one of same) {
    const list = byDataset.get(one.uuid) ?? [];
    byDataset.set(one.uuid, list);
    list.push(one);
  }
  const [best] = [...byDataset].sort(([, a], [, b]) => b.length - a.length);
  if (best === undefined) return null;
  const [uuid, there] = best;
  const digestsThere = new Set(there.map(({ sha256 }) => sha256));
  const count = files.filter(({ sha256 }) => digestsThere.has(sha256)).length;
  const [first] = there;
  const path = files.length === 1 && first !== undefined ? first.path : null;
  return { dataset: uuid, name: first?.name ?? '', path, files: count, of: files.length };
}

function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += AT_ONCE) yield all.slice(at, at + AT_ONCE);
}

const digests = (store: Store): Collection<DigestDocument> => store.db.collection(COLLECTIONS.digests);
