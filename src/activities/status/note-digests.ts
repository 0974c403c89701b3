// Activity noteDigests: the files of a dataset are made known, and what is the same as elsewhere is marked.
import type { Roots } from '../../bytes/layout.js';
import { listReceipts } from '../../bytes/receipts.js';
import { readManifest } from '../../bytes/store.js';
import type { DuplicateMark } from '../../contracts/documents.js';
import type { Delivery } from '../../contracts/workflow.js';
import { findDataset } from '../../store/datasets.js';
import { duplicateMark, findSame, noteFiles } from '../../store/digests.js';
import { duplicatesOf, markDataset, markUpload } from '../../store/duplicates.js';
import type { Store } from '../../store/mongo.js';

/** Every delivery once: its row says that it was looked at. Noted first, so that of two at the same time one sees the other. */
export async function noteDigests(store: Store, roots: Roots, uuid: string): Promise<void> {
  const row = await findDataset(store, uuid);
  if (row === null) return;
  const marks = await duplicatesOf(store, uuid);
  for (const { key: jobId, output } of await listReceipts<Delivery>(roots, uuid, 'fetch')) {
    if (marks.get(jobId) !== undefined) continue;
    const { files } = await readManifest(roots, output.manifest);
    await noteFiles(store, row, files);
    const mark = duplicateMark(files, await findSame(store, row, files));
    await markUpload(store, jobId, mark);
    marks.set(jobId, mark);
  }
  await markDataset(store, uuid, ofAll([...marks.values()]));
}

/** What holds for all deliveries together: the dataset that holds most of their files. */
function ofAll(marks: readonly (DuplicateMark | null | undefined)[]): DuplicateMark | null {
  const given = marks.filter((mark) => mark !== null && mark !== undefined);
  const groups = new Map<string, DuplicateMark[]>();
  for (const mark of given) {
    const list = groups.get(mark.dataset) ?? [];
    groups.set(mark.dataset, list);
    list.push(mark);
  }
  const [most = []] = [...groups.values()].sort((a, b) => filesOf(b) - filesOf(a));
  const [first] = most;
  if (first === undefined) return null;
  return marks.length === 1 ? first : { ...first, path: null, files: filesOf(most), of: null };
}

const filesOf = (marks: readonly DuplicateMark[]): number => marks.reduce((sum, { files }) => sum + files, 0);
