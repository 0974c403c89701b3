// The mark of an upload that somebody cancelled: a Reset to before that starts it again, and it must stay cancelled.
import { join } from 'node:path';
import { faultOf } from '../domain/fault.js';
import { readJson, writeJson } from './json-file.js';
import { keys, pathOf, type Roots } from './layout.js';

/** Leaves the mark. A full disk is no reason not to cancel: there is none then. */
export async function markCancelled(roots: Roots, uuid: string, jobId: string): Promise<void> {
  try {
    await writeJson(markPath(roots, uuid, jobId), { at: new Date().toISOString() });
  } catch (error) {
    if (faultOf(error)?.code !== 'disk_full') throw error;
  }
}

export const isCancelled = async (roots: Roots, uuid: string, jobId: string): Promise<boolean> =>
  (await readJson(markPath(roots, uuid, jobId))) !== undefined;

const markPath = (roots: Roots, uuid: string, jobId: string): string =>
  join(pathOf(roots, 'in', keys.receipts(uuid)), `cancelled-${jobId}.json`);
