// What an upload asked for when its bytes are in another dataset already: to be asked, or to share them.
import { link, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../bytes/disk-fault.js';
import { hashFile } from '../../bytes/hash.js';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import { quoteName } from '../../bytes/safe-names.js';
import type { FileEntry } from '../../contracts/claim.js';
import type { UploadOrder } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import type { FetchContext } from './source.js';

/** Where the same bytes lie, as far as the dataset's owner may know. */
export type FindSame = (
  uuid: string,
  files: readonly FileEntry[],
) => Promise<readonly { sha256: string; uuid: string; name: string; path: string }[]>;

/**
 * Looks before the files count as delivered.
 * @throws Fault `duplicate_found` when the order wants to be asked and the delivery brings nothing new
 */
export async function heedDuplicates(
  context: FetchContext,
  rule: UploadOrder['duplicates'],
  files: readonly FileEntry[],
  { findSame, roots }: { readonly findSame: FindSame; readonly roots: Roots },
): Promise<void> {
  if (rule === undefined) return;
  const same = await findSame(context.uuid, files);
  if (rule === 'ask') {
    refuseKnown(files, same);
    return;
  }
  for (const file of files) {
    for (const { path, uuid } of same.filter(({ sha256 }) => sha256 === file.sha256)) {
      const other = join(pathOf(roots, 'in', keys.received(uuid)), path);
      if (await shareBytes(context, file, other)) break;
    }
  }
}

function refuseKnown(files: readonly FileEntry[], same: Awaited<ReturnType<FindSame>>): void {
  // Of several the oldest, which comes first.
  const known = new Map(same.toReversed().map((one) => [one.sha256, one]));
  const [first] = files;
  const there = first && known.get(first.sha256);
  if (first === undefined || there === undefined || !files.every(({ sha256 }) => known.has(sha256))) return;
  const others = files.length === 1 ? '' : ` The other ${files.length - 1} are known too.`;
  throw new Fault(
    'duplicate_found',
    `The bytes of ${quoteName(first.path)} are in the dataset ${quoteName(there.name)} (${there.uuid}) already, as ` +
      `${quoteName(there.path)}.${others}`,
  );
}

/** Gives the staged file the bytes of another dataset's file, once they are proven; false where that cannot be. */
async function shareBytes(context: FetchContext, file: FileEntry, other: string): Promise<boolean> {
  const staged = join(context.staging.files, file.path);
  const found = await stat(other).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== file.size) return false;
  const alive = (): void =>
    context.advance(context.confirmed(), context.confirmed(), `comparing ${file.path}`);
  const { sha256 } = await hashFile(other, { signal: context.signal, onProgress: alive });
  if (sha256 !== file.sha256) return false;
  const temporary = `${staged}.${context.owner.attempt}.link`;
  try {
    await rm(temporary, { force: true });
    await link(other, temporary);
    await rename(temporary, staged);
    return true;
  } catch (error) {
    if (isErrno(error, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOENT')) return false;
    throw error;
  }
}
