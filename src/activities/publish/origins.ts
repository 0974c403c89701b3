// Where the files of a dataset came from: which upload brought which, from which source.

import type { Roots } from '../../bytes/layout.js';
import { listReceipts } from '../../bytes/receipts.js';
import { readManifest } from '../../bytes/store.js';
import type { FileEntry } from '../../contracts/claim.js';
import type { Delivery } from '../../contracts/workflow.js';

/** An upload as its row tells it. */
export interface Origin {
  readonly jobId: string;
  readonly kind: string;
  /** In words, without secrets. */
  readonly words: string;
  readonly by: string;
  /** ISO times. */
  readonly startedAt: string;
}

/** Asks for the uploads of a dataset. May fail: what is published does not depend on it. */
export type FindOrigins = (uuid: string) => Promise<readonly Origin[]>;

export interface Received extends FileEntry {
  readonly jobId: string;
}

/** Beyond so many deliveries the files are not told apart by delivery. */
const MOST_DELIVERIES = 1_000;

/** Every file that was delivered, with the upload that brought it, by the receipts of the fetches. */
export async function receivedFiles(roots: Roots, uuid: string): Promise<readonly Received[]> {
  const receipts = await listReceipts<Delivery>(roots, uuid, 'fetch');
  if (receipts.length > MOST_DELIVERIES) return [];
  const found: Received[] = [];
  for (const { key, output } of receipts) {
    const { files } = await readManifest(roots, output.manifest);
    found.push(...files.map((file) => ({ ...file, jobId: key })));
  }
  return found;
}

/** The origins, or none when the database does not answer: a product is not kept back for them. */
export async function askOrigins(find: FindOrigins | undefined, uuid: string): Promise<readonly Origin[]> {
  try {
    return (await find?.(uuid)) ?? [];
  } catch {
    return [];
  }
}
