// Rows of visstoredatas: insert before the workflow starts, read, list. A status is never written here.
import type { Filter } from 'mongodb';
import type { DatasetDocument } from '../contracts/documents.js';
import type { DatasetStatus } from '../domain/dataset.js';
import type { Sensor } from '../domain/sensor.js';
import type { TargetsState } from '../domain/target.js';
import type { Store } from './mongo.js';
import { type Cursor, olderThan, type Page, pageOf } from './paging.js';

export interface DatasetFilter {
  readonly status?: DatasetStatus | undefined;
  readonly user_email?: string | undefined;
  readonly sensor?: Sensor | undefined;
  readonly targets?: TargetsState | undefined;
  /** Part of the name, any case. */
  readonly name?: string | undefined;
}

/** Makes the row unless it is there. Returns whether it was made now. */
export async function insertDataset(store: Store, document: DatasetDocument): Promise<boolean> {
  const { uuid, ...rest } = document;
  const { upsertedCount } = await store.datasets.updateOne(
    { uuid },
    { $setOnInsert: rest },
    { upsert: true },
  );
  return upsertedCount === 1;
}

export async function findDataset(store: Store, uuid: string): Promise<DatasetDocument | null> {
  return await store.datasets.findOne({ uuid }, { projection: { _id: 0 } });
}

/** The owner's newest dataset with this id of an older program, this slug, or exactly this name. */
export async function findDatasetOf(
  store: Store,
  owner: string,
  by: { readonly id: number } | { readonly slug: string } | { readonly name: string },
): Promise<DatasetDocument | null> {
  const mine = { $or: [{ user: owner }, { user_email: owner }] };
  // Programs before this one wrote it as a number or as text.
  const named = 'id' in by ? { id: { $in: [by.id, String(by.id)] } } : by;
  return await store.datasets.findOne({ ...mine, ...named } as Filter<DatasetDocument>, {
    projection: { _id: 0 },
    sort: { created_at: -1 },
  });
}

/** Newest first. */
export async function listDatasets(
  store: Store,
  filter: DatasetFilter,
  limit: number,
  after?: Cursor,
): Promise<Page<DatasetDocument>> {
  const query: Filter<DatasetDocument> = {
    ...(filter.status === undefined ? {} : { status: filter.status }),
    ...(filter.user_email === undefined ? {} : { user_email: filter.user_email }),
    ...(filter.sensor === undefined ? {} : { sensor: filter.sensor }),
    ...(filter.targets === undefined ? {} : { 'sluice.targetsState': filter.targets }),
    ...(filter.name === undefined ? {} : { name: { $regex: escapeRegex(filter.name), $options: 'i' } }),
    ...(after === undefined ? {} : olderThan('uuid', after)),
  };
  const rows = await store.datasets
    .find(query, { projection: { _id: 0 } })
    .sort({ created_at: -1, uuid: -1 })
    .limit(limit + 1)
    .toArray();
  return pageOf(rows, limit, ({ created_at, uuid }) => ({ at: created_at, key: uuid }));
}

/** The rows of these datasets, by uuid. */
export async function datasetsByUuid(
  store: Store,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, DatasetDocument>> {
  const rows = await store.datasets
    .find({ uuid: { $in: [...new Set(uuids)] } }, { projection: { _id: 0 } })
    .toArray();
  return new Map(rows.map((row) => [row.uuid, row]));
}

/** Facts that describe a dataset; nothing of its life-cycle. */
export type DatasetDescription = Pick<
  DatasetDocument,
  | 'name'
  | 'sensor'
  | 'convert'
  | 'data_conversion_needed'
  | 'is_public'
  | 'is_public_downloadable'
  | 'folder_uuid'
  | 'team_uuid'
  | 'tags'
  | 'conversion_parameters'
  | 'unpack_nested'
  | 'keep_archives'
  | 'publish_to'
>;

/** Changes what describes a dataset, or its latest upload. */
export async function amendDataset(
  store: Store,
  uuid: string,
  change: Partial<DatasetDescription> & { readonly job_id?: string },
): Promise<void> {
  await store.datasets.updateOne({ uuid }, { $set: { ...change, updated_at: new Date() } });
}

const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
