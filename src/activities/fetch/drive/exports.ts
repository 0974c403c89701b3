// Documents that live in Google alone: exported one after the other, since nobody knows how large one will be.
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onDisk } from '../../../bytes/disk-fault.js';
import { sizeOf } from '../../../bytes/files.js';
import { removePartial } from '../../../bytes/partial-file.js';
import { digestOf } from '../../../bytes/receipts.js';
import type { FetchContext, FetchedFile, TransferSettings } from '../source.js';
import { stableTransfer } from '../transfer/engine.js';
import { Ledger } from '../transfer/ledger.js';
import type { DriveApi } from './api.js';
import { openExport, versionOf } from './open.js';
import type { DriveFile } from './tree.js';

/**
 * Brings them into staging; an export that an earlier attempt brought is taken if the document is the same.
 * @param tell bytes of all exports so far
 * @throws Fault, the signal's reason
 */
export async function bringExports(
  context: FetchContext,
  settings: TransferSettings,
  api: DriveApi,
  documents: readonly DriveFile[],
  tell: (bytes: number, note: string) => void,
): Promise<FetchedFile[]> {
  if (documents.length === 0) return [];
  const ledger = await Ledger.open(join(context.staging.partial, 'exported'));
  const fetched: FetchedFile[] = [];
  let done = 0;
  try {
    for (const document of documents) {
      const { path } = document;
      const from = join(context.staging.files, path);
      // Its size is told by the disk: no list knows it.
      if (ledger.find(path, 0, versionOf(document)) === undefined || (await sizeOf(from)) === undefined) {
        await bring(context, settings, api, document, (bytes) => tell(done + bytes, path));
        await ledger.add({ path, size: 0, version: versionOf(document), announced: [] });
      }
      done += (await sizeOf(from)) ?? 0;
      tell(done, path);
      fetched.push({ path, from });
    }
    return fetched;
  } finally {
    await ledger.close();
  }
}

async function bring(
  { staging, owner, signal, pace }: FetchContext,
  settings: TransferSettings,
  api: DriveApi,
  document: DriveFile,
  advance: (bytes: number) => void,
): Promise<void> {
  const path = join(staging.partial, digestOf(document.path).slice(0, 32));
  await removePartial(path);
  await stableTransfer({ opener: openExport(api, document), settings, path, owner, signal, pace, advance });
  const to = join(staging.files, document.path);
  await onDisk(() => mkdir(dirname(to), { recursive: true }));
  await rename(path, to);
  await removePartial(path);
}
