// Proving what came: digests, announced digests, no empty file, archives marked.
import { hashFile } from '../../bytes/hash.js';
import { quoteName } from '../../bytes/safe-names.js';
import type { FileEntry } from '../../contracts/claim.js';
import { Fault } from '../../domain/fault.js';
import { archiveKind } from './archive-kind.js';
import type { FetchContext, FetchedFile } from './source.js';
import { extraDigests } from './transfer/follow.js';

/** Files in hand at once: two are hashed while the next are opened and looked at. */
const AT_ONCE = 8;

/**
 * The entries of the manifest, in the order of their paths.
 * @throws Fault `empty_file`, `checksum_mismatch`; the signal's reason
 */
export async function proveFiles(context: FetchContext, files: readonly FetchedFile[]): Promise<FileEntry[]> {
  const entries: FileEntry[] = [];
  const waiting = [...files];
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const one = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      entries.push(await proveFile(file, signal, () => alive(context, file)));
    }
  };
  await Promise.all(
    Array.from({ length: AT_ONCE }, () =>
      one().catch((error: unknown) => {
        stop.abort(error);
        throw error;
      }),
    ),
  );
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The bytes stay those that came; that they are being read is what the beat tells. */
function alive(context: FetchContext, file: FetchedFile | undefined): void {
  context.advance(context.confirmed(), context.confirmed(), `checking ${file?.path ?? ''}`);
}

async function proveFile(file: FetchedFile, signal: AbortSignal, onProgress: () => void): Promise<FileEntry> {
  const announced = file.announced ?? [];
  const {
    sha256,
    size,
    also: others,
  } = file.hash ?? (await hashFile(file.from, { signal, onProgress, also: extraDigests(announced) }));
  if (size === 0) throw new Fault('empty_file', `The file ${quoteName(file.path)} is empty.`);
  for (const { algorithm, hex } of announced) {
    if (hex === (algorithm === 'sha256' ? sha256 : others[algorithm])) continue;
    throw new Fault(
      'checksum_mismatch',
      `The bytes of ${quoteName(file.path)} do not have the ${algorithm} digest that was announced.`,
    );
  }
  const { archive } = file.looked ?? { archive: await archiveKind(file.from) };
  return { path: file.path, size, sha256, ...(archive === undefined ? {} : { archive }) };
}
