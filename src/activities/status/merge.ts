// One list of files for many deliveries.

import type { Roots } from '../../bytes/layout.js';
import { digestOf } from '../../bytes/receipts.js';
import { putManifest, readManifest } from '../../bytes/store.js';
import type { RecallOutput } from '../../contracts/activities.js';
import type { FileEntry } from '../../contracts/claim.js';
import type { Delivery, MergedUploads } from '../../contracts/workflow.js';
import type { UploadStatus } from '../../domain/upload.js';

/** The same deliveries give the same list; the lists that it is made of stay. */
export async function mergeDeliveries(
  roots: Roots,
  uuid: string,
  deliveries: readonly Delivery[],
): Promise<Delivery> {
  const byPath = new Map<string, FileEntry>();
  // One after the other: a large dataset has thousands, and each is held only while it is read.
  for (const { manifest } of deliveries) {
    for (const file of (await readManifest(roots, manifest)).files) byPath.set(file.path, file);
  }
  const files = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const name = `merged-${digestOf(deliveries.map(({ manifest }) => manifest.digest)).slice(0, 32)}`;
  return {
    manifest: await putManifest(roots, uuid, name, { version: 1, files }),
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    archives: files.filter(({ archive }) => archive !== undefined).length,
  };
}

/** @param uploads with what each brought */
export async function mergedUploads(
  roots: Roots,
  uuid: string,
  uploads: RecallOutput['delivered'],
): Promise<MergedUploads> {
  const jobs: Partial<Record<UploadStatus, string[]>> = {};
  for (const { jobId, status } of uploads) {
    const list = jobs[status] ?? [];
    jobs[status] = list;
    list.push(jobId);
  }
  const delivery = await mergeDeliveries(
    roots,
    uuid,
    uploads.map((upload) => upload.delivery),
  );
  return { delivery, jobs };
}
