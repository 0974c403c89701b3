// What the events of one stream need beside the changed row: datasets of jobs, uploads of datasets; remembered shortly.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import { findDataset } from '../store/datasets.js';
import type { Store } from '../store/mongo.js';
import { countingUploads, type JobContext } from './repeat.js';

/** A dataset's own events keep what is remembered fresh; this is for streams that do not get them. */
const FRESH_MS = 1_000;
const MOST = 1_000;

/** The memory of one stream. */
export class EventRows {
  readonly #store: Store;
  readonly #known = new Map<string, { readonly row: DatasetDocument | null; readonly at: number }>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The uploads that a changed dataset's view needs; the row itself is remembered for its jobs. */
  async uploadsOf(row: DatasetDocument): Promise<readonly JobDocument[]> {
    this.#keep(row.uuid, row);
    return (await countingUploads(this.#store, [row])).get(row.uuid) ?? [];
  }

  async contextOf(job: JobDocument): Promise<JobContext> {
    const row = await this.#row(job.dataset_uuid);
    const counts = row !== null && job.upload_status === 'failed';
    const siblings = counts ? await countingUploads(this.#store, [row]) : undefined;
    return { row, siblings: siblings?.get(job.dataset_uuid) ?? [] };
  }

  async #row(uuid: string): Promise<DatasetDocument | null> {
    const known = this.#known.get(uuid);
    if (known !== undefined && Date.now() - known.at < FRESH_MS) return known.row;
    return this.#keep(uuid, await findDataset(this.#store, uuid));
  }

  /** Keeps the newer of what is known and what came: a change may be told later than the row was read. */
  #keep(uuid: string, row: DatasetDocument | null): DatasetDocument | null {
    const before = this.#known.get(uuid)?.row;
    const newer = before != null && row !== null && isNewer(before, row) ? before : row;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(uuid, { row: newer, at: Date.now() });
    return newer;
  }
}

const isNewer = (one: DatasetDocument, other: DatasetDocument): boolean => {
  const [a, b] = [one.sluice, other.sluice];
  if (a?.runId !== b?.runId) return false;
  if ((a?.revision ?? 0) !== (b?.revision ?? 0)) return (a?.revision ?? 0) > (b?.revision ?? 0);
  return (a?.progress?.at.getTime() ?? 0) > (b?.progress?.at.getTime() ?? 0);
};
