// Which dataset a client means: by uuid, number, slug or exact name, as the older clients' servers read it.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../domain/fault.js';
import { isUuid } from '../domain/ids.js';
import { findDataset, findDatasetOf } from '../store/datasets.js';
import type { Store } from '../store/mongo.js';

/** The files of a directory race each other: the one that makes the dataset may be a moment behind the others. */
const PATIENCE_MS = 1_500;
const LOOK_EVERY_MS = 50;

/**
 * The uuid of the dataset. A uuid says it alone; anything else is looked for among what the owner has.
 * @throws Fault not_found
 */
export async function resolveDataset(store: Store, identifier: string, owner: string): Promise<string> {
  const uuid = isUuid(identifier) ? await awaited(store, identifier.toLowerCase()) : undefined;
  const found = uuid ?? (await byWords(store, identifier, owner));
  if (found !== undefined) return found;
  throw new Fault('not_found', `404: there is no dataset ${JSON.stringify(identifier.slice(0, 100))}`);
}

async function awaited(store: Store, uuid: string): Promise<string | undefined> {
  for (const end = Date.now() + PATIENCE_MS; ; await sleep(LOOK_EVERY_MS)) {
    if ((await findDataset(store, uuid)) !== null) return uuid;
    if (Date.now() > end) return undefined;
  }
}

/** A number is an older program's id; a name may hold hyphens and look like a slug. */
async function byWords(store: Store, words: string, owner: string): Promise<string | undefined> {
  const id = /^\d{1,15}$/.test(words) ? await findDatasetOf(store, owner, { id: Number(words) }) : null;
  const row =
    id ??
    (await findDatasetOf(store, owner, { slug: words })) ??
    (await findDatasetOf(store, owner, { name: words }));
  return row?.uuid;
}
