// Source `google_drive`: a file or everything below a folder, the same at the end as it was when it was listed.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { confirmedBytes } from '../../../bytes/partial-file.js';
import { quoteName } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';
import type { GoogleDriveSource } from '../../../domain/source.js';
import { openAccess } from '../drive/access.js';
import { DriveApi } from '../drive/api.js';
import { bringExports } from '../drive/exports.js';
import { type DriveOpened, openContent, versionOf } from '../drive/open.js';
import { type DriveFile, listTree, lookAgain } from '../drive/tree.js';
import type { FetchContext, FetchedFile, Paused, SourceDeps, SourceFetcher } from '../source.js';
import { type TransferItem, transferFiles } from '../transfer/files.js';
import { Ledger } from '../transfer/ledger.js';

/** Longer than any wait inside; a list of very many folders takes minutes and moves no byte. */
const BOUND_MS = 600_000;

export function googleDriveSource(deps: SourceDeps): SourceFetcher<GoogleDriveSource> {
  return {
    kind: 'google_drive',
    async fetch(context) {
      try {
        return await context.waiting(bring(deps, steady(context)), BOUND_MS);
      } catch (error) {
        if (!context.signal.aborted) throw error;
        return { paused: true, confirmed: Math.max(context.confirmed(), await broughtBytes(context)) };
      }
    },
  };
}

async function bring(
  deps: SourceDeps,
  context: FetchContext<GoogleDriveSource>,
): Promise<readonly FetchedFile[] | Paused> {
  const { source, signal } = context;
  const access = await openAccess(deps.drive, deps.secrets, context);
  const { backOffMs } = deps.transfer;
  const waits = (): void => context.advance(context.confirmed(), 0, 'Google asks to wait');
  const api = await DriveApi.open(access, deps.http, deps.drive.root, { backOffMs, signal, waits });
  const look = async (): Promise<readonly DriveFile[]> => {
    const { files, leftOut } = await listTree(api, source, source.leavesOut === true);
    context.leaveOut(leftOut);
    return files;
  };
  let files = await look();
  if (files.length === 0) throw new Fault('no_files', 'There is no file in the folder of Google Drive.');
  for (let round = 1; ; round++) {
    const fetched = await bringFiles(deps, context, api, files);
    if ('paused' in fetched) return fetched;
    const now = await nowOf(api, files, await look());
    const changed = files.find((file, at) => now[at]?.version !== file.version);
    if (changed === undefined) return fetched;
    // Once more, and only what changed: the others are in the ledger.
    if (round > 1) throw new Fault('drive_changed', `${quoteName(changed.path)} changes again and again.`);
    files = now;
  }
}

async function bringFiles(
  { transfer }: SourceDeps,
  context: FetchContext,
  api: DriveApi,
  files: readonly DriveFile[],
): Promise<readonly FetchedFile[] | Paused> {
  const documents = files.filter(({ size }) => size === undefined);
  const known = files.reduce((sum, { size = 0 }) => sum + size, 0);
  let exported = 0;
  const tell = (bytes: number, note: string): void => {
    exported = bytes;
    context.advance(bytes, known + bytes, note);
  };
  const brought = await bringExports(context, transfer, api, documents, tell);
  const behind: FetchContext = {
    ...context,
    advance: (done, total, note) => context.advance(exported + done, exported + total, note),
  };
  const items = files.flatMap((file) => itemOf(api, file) ?? []);
  const fetched = await transferFiles(behind, transfer, items);
  if ('paused' in fetched) return { paused: true, confirmed: fetched.confirmed + exported };
  return [...brought, ...fetched];
}

function itemOf(api: DriveApi, file: DriveFile): TransferItem<DriveOpened> | undefined {
  const { path, size } = file;
  if (size === undefined) return undefined;
  return {
    path,
    size,
    version: versionOf(file),
    opener: openContent(api, file),
    announcedBy: ({ announced }) => announced,
  };
}

/**
 * The same files as they are by now, under the paths that they were listed with. What was added meanwhile is not
 * theirs; what was moved away is the same file still.
 * @throws Fault for what is gone: `drive_trashed`, `drive_not_found`
 */
async function nowOf(
  api: DriveApi,
  files: readonly DriveFile[],
  listed: readonly DriveFile[],
): Promise<DriveFile[]> {
  const byId = new Map(listed.map((file) => [file.id, file]));
  const now: DriveFile[] = [];
  for (const file of files) {
    now.push({ ...(byId.get(file.id) ?? (await lookAgain(api, file))), path: file.path });
  }
  return now;
}

/** What lies in staging already, when a pause comes before the files are listed again. */
async function broughtBytes({ staging }: FetchContext): Promise<number> {
  const names = await readdir(staging.partial).catch(() => []);
  const partial = names
    .filter((name) => name.endsWith('.journal'))
    .map((name) => name.slice(0, -'.journal'.length));
  const bytes = await Promise.all(partial.map((name) => confirmedBytes(join(staging.partial, name))));
  const ledger = await Ledger.open(join(staging.partial, 'done'));
  await ledger.close();
  return bytes.reduce((sum, one) => sum + one, ledger.bytes);
}

/** Progress that never goes back and never beyond its total, also when a file is fetched again or is another one by now. */
function steady(context: FetchContext<GoogleDriveSource>): FetchContext<GoogleDriveSource> {
  let furthest = 0;
  let largest = 0;
  return {
    ...context,
    advance(done, total, note) {
      furthest = Math.max(furthest, done);
      largest = Math.max(largest, total);
      context.advance(furthest, largest === 0 ? 0 : Math.max(largest, furthest), note);
    },
  };
}
