// One version of a file into a partial file: several ranges at once where the source proves that it can.
import { dirname } from 'node:path';
import { freeBytes } from '../../../bytes/files.js';
import { type Owner, readJournal, type Validator } from '../../../bytes/journal.js';
import { PartialFile, removePartial } from '../../../bytes/partial-file.js';
import { missingRanges, type Range, splitRanges } from '../../../bytes/ranges.js';
import { Fault } from '../../../domain/fault.js';
import type { TransferSettings } from '../source.js';
import { isProvable, type Opened, type RangeOpener, SourceChanged, sameVersion } from './port.js';
import { pump } from './pump.js';
import { together } from './together.js';
import { connectionError, givenUp, Tries } from './tries.js';

export interface TransferJob<O extends Opened> {
  readonly opener: RangeOpener<O>;
  readonly settings: TransferSettings;
  /** The partial file. */
  readonly path: string;
  readonly owner: Owner;
  readonly signal: AbortSignal;
  /** See FetchContext.pace. */
  pace(bytes: number): Promise<void>;
  advance(done: number, total: number): void;
}

/**
 * Fetches what the journal lacks; when it returns, the partial file is whole and confirmed.
 * When the signal aborts, what came is confirmed before the abort is thrown.
 * @returns the first answer, for what it tells about the file
 * @throws SourceChanged, Fault, the signal's reason, system errors
 */
export async function transferFile<O extends Opened>(job: TransferJob<O>): Promise<O> {
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
    await fill(job, file, first);
  } catch (error) {
    first.body.destroy();
    // What came before the error is what counts, not what became of its last bytes.
    await confirmAndClose(file).catch(() => undefined);
    throw error;
  }
  first.body.destroy();
  await confirmAndClose(file);
  return first;
}

/**
 * The same; another version in mid-transfer: once from the start, then it is a failure.
 * @throws Fault (`url_changed` or the opener's own code), the signal's reason, system errors
 */
export async function stableTransfer<O extends Opened>(job: TransferJob<O>): Promise<O> {
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

async function fill(job: TransferJob<Opened>, file: PartialFile, first: Opened): Promise<void> {
  const total = first.validator.size;
  if (total !== undefined && (await freeBytes(dirname(job.path))) < total - file.confirmed) {
    throw new Fault('disk_full');
  }
  if (first.partial && total !== undefined && isProvable(first.validator))
    await fillRanges(job, file, first, total);
  else await fillWhole(job, file, first);
}

/** The first piece that is missing. When nothing is missing, one byte: its answer tells name and digests. */
function nextPiece(
  { settings }: TransferJob<Opened>,
  before: Awaited<ReturnType<typeof readJournal>>,
): Range {
  const total = before?.validator.size ?? Number.MAX_SAFE_INTEGER;
  const [gap] = missingRanges(before?.confirmed ?? [], total);
  if (gap === undefined) return { start: 0, end: 1 };
  return { start: gap.start, end: Math.min(gap.end, gap.start + settings.pieceBytes) };
}

/** Several streams take pieces from one list; a stream goes on where its piece was cut. */
async function fillRanges(
  job: TransferJob<Opened>,
  file: PartialFile,
  first: Opened,
  total: number,
): Promise<void> {
  const pieces = splitRanges(file.missing(total), job.settings.pieceBytes);
  let opened: Opened | undefined = first;
  let done = file.confirmed;
  const tell = (bytes: number): void => {
    done += bytes;
    job.advance(done, total);
  };
  tell(0);
  await together(
    total > job.settings.parallelAbove ? job.settings.streams : 1,
    job.signal,
    async (signal) => {
      for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
        const body = opened?.range.start === piece.start ? opened : undefined;
        if (body !== undefined) opened = undefined;
        await fillPiece({ ...job, signal }, file, { piece, body, validator: first.validator, tell });
      }
    },
  );
}

interface PieceWork {
  readonly piece: Range;
  /** An answer that begins where the piece begins, if there is one already. */
  readonly body: Opened | undefined;
  readonly validator: Validator;
  readonly tell: (bytes: number) => void;
}

async function fillPiece(job: TransferJob<Opened>, file: PartialFile, work: PieceWork): Promise<void> {
  const tries = new Tries(job.settings, job.opener);
  let { start } = work.piece;
  let { body } = work;
  while (start < work.piece.end) {
    try {
      body ??= await request(job, work.validator, { start, end: work.piece.end });
      if (!body.partial || !sameVersion(work.validator, body.validator)) throw letGo(body);
      const came = (bytes: number): void => {
        start += bytes;
        tries.advanced();
        work.tell(bytes);
      };
      await pump(job.opener, body, file, work.piece.end, { pace: job.pace, came });
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
    body = undefined;
  }
}

/** No ranges, or no way to prove that they belong together: one stream, from the start at every try. */
async function fillWhole(job: TransferJob<Opened>, file: PartialFile, first: Opened): Promise<void> {
  const tries = new Tries(job.settings, job.opener);
  let body: Opened | undefined = first.range.start === 0 && isWhole(first) ? first : undefined;
  let furthest = 0;
  for (;;) {
    try {
      body ??= await request(job, undefined, undefined);
      const version = body.validator;
      if (isProvable(first.validator) && !sameVersion(first.validator, version)) throw letGo(body);
      let at = 0;
      const came = (bytes: number): void => {
        at += bytes;
        if (at > furthest) tries.advanced();
        furthest = Math.max(furthest, at);
        job.advance(at, version.size ?? 0);
      };
      await pump(job.opener, body, file, Number.POSITIVE_INFINITY, { pace: job.pace, came });
      await file.cut(at);
      return;
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
    body = undefined;
  }
}

const isWhole = ({ partial, range, validator }: Opened): boolean => !partial || range.end === validator.size;

async function open<O extends Opened>(
  job: TransferJob<O>,
  validator: Validator | undefined,
  asked: Range,
): Promise<O> {
  const tries = new Tries(job.settings, job.opener);
  for (;;) {
    try {
      return await request(job, validator, asked);
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
  }
}

async function request<O extends Opened>(
  { opener, signal }: TransferJob<O>,
  validator: Validator | undefined,
  asked: Range | undefined,
): Promise<O> {
  try {
    return await opener.open(asked, validator, signal);
  } catch (error) {
    throw connectionError(error);
  }
}

function letGo({ body }: Opened): SourceChanged {
  body.destroy();
  return new SourceChanged('another version than the bytes before');
}
