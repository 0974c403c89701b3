// One version of a file into a partial file, whole and confirmed, or as far as it goes.
import { dirname } from 'node:path';
import { freeBytes } from '../../../bytes/files.js';
import type { FileHash } from '../../../bytes/hash.js';
import { readJournal } from '../../../bytes/journal.js';
import { PartialFile, removePartial } from '../../../bytes/partial-file.js';
import { missingRanges, type Range } from '../../../bytes/ranges.js';
import { Fault } from '../../../domain/fault.js';
import { fillRanges } from './fill-ranges.js';
import { fillWhole } from './fill-whole.js';
import type { TransferJob } from './job.js';
import { open } from './open.js';
import { isProvable, type Opened, SourceChanged, sameVersion } from './port.js';
import { givenUp } from './tries.js';

/** What comes through the main loop of a file whose rest can come beside it. */
const FIRST_BYTES = 16 * 1024 * 1024;

export interface Transferred<O extends Opened> {
  /** The first answer, for what it tells about the file. */
  readonly first: O;
  /** Of the bytes on the disk, when somebody followed. */
  readonly hash: FileHash | undefined;
}

/**
 * Fetches what the journal lacks; when it returns, the partial file is whole and confirmed.
 * When the signal aborts, what came is confirmed before the abort is thrown.
 * @throws SourceChanged, Fault, the signal's reason, system errors
 */
export async function transferFile<O extends Opened>(job: TransferJob<O>): Promise<Transferred<O>> {
  const before = await readJournal(`${job.path}.journal`);
  const first = await open(job, before?.validator, nextPiece(job, before));
  let file: PartialFile | undefined;
  try {
    if (
      before !== undefined &&
      before.confirmed.length > 0 &&
      !sameVersion(before.validator, first.validator)
    ) {
      throw new SourceChanged('another version than before');
    }
    file = await PartialFile.open(job.path, job.owner, first.validator, sameVersion);
    const hash = await fill(job, file, first);
    first.body.destroy();
    await confirmAndClose(file);
    return { first, hash };
  } catch (error) {
    first.body.destroy();
    // What came before the error is what counts, not what became of its last bytes.
    await confirmAndClose(file).catch(() => undefined);
    throw error;
  }
}

/**
 * The same; another version in mid-transfer: once from the start, then it is a failure.
 * @throws Fault (`url_changed` or the opener's own code), the signal's reason, system errors
 */
export async function stableTransfer<O extends Opened>(job: TransferJob<O>): Promise<Transferred<O>> {
  try {
    return await transferFile(job);
  } catch (error) {
    if (!(error instanceof SourceChanged)) throw error;
    await removePartial(job.path);
  }
  try {
    return await transferFile(job);
  } catch (error) {
    if (!(error instanceof SourceChanged)) throw error;
    throw givenUp(job.opener, 'changed', undefined, error);
  }
}

async function confirmAndClose(file: PartialFile | undefined): Promise<void> {
  try {
    await file?.flush();
  } finally {
    await file?.close();
  }
}

async function fill<O extends Opened>(
  job: TransferJob<O>,
  file: PartialFile,
  first: O,
): Promise<FileHash | undefined> {
  const total = first.validator.size;
  if (total !== undefined) await job.admit?.(total);
  if (total !== undefined && (await freeBytes(dirname(job.path))) < total - file.confirmed) {
    throw new Fault('disk_full');
  }
  if (first.partial && total !== undefined && isProvable(first.validator))
    return await fillRanges(job, file, first, total);
  return await fillWhole(job, file, first);
}

/** The first piece that is missing. When nothing is missing, one byte: its answer tells name and digests. */
function nextPiece(
  { settings, opener }: Pick<TransferJob<Opened>, 'settings' | 'opener'>,
  before: Awaited<ReturnType<typeof readJournal>>,
): Range {
  const total = before?.validator.size ?? Number.MAX_SAFE_INTEGER;
  const [gap] = missingRanges(before?.confirmed ?? [], total);
  if (gap === undefined) return { start: 0, end: 1 };
  const piece = opener.aside === undefined ? settings.pieceBytes : Math.min(settings.pieceBytes, FIRST_BYTES);
  return { start: gap.start, end: Math.min(gap.end, gap.start + piece) };
}
