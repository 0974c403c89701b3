// One version of a file on the web into a partial file: several ranges at once where the server proves that it can.
import { dirname } from 'node:path';
import { freeBytes } from '../../../bytes/files.js';
import { type Owner, readJournal, type Validator } from '../../../bytes/journal.js';
import { PartialFile } from '../../../bytes/partial-file.js';
import { missingRanges, type Range, splitRanges } from '../../../bytes/ranges.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import type { HttpClient } from '../../../net/http.js';
import type { UrlSettings } from '../source.js';
import {
  type Delivery,
  ifRange,
  isProvable,
  readDelivery,
  SourceChanged,
  sameVersion,
  TryAgain,
} from './answer.js';
import { pump } from './pump.js';
import { connectionError, Tries } from './tries.js';

export interface DownloadJob {
  readonly http: HttpClient;
  readonly target: { readonly url: URL; readonly authorization?: string };
  readonly settings: UrlSettings;
  /** The partial file. */
  readonly path: string;
  readonly owner: Owner;
  readonly signal: AbortSignal;
  advance(done: number, total: number): void;
}

/**
 * Fetches what the journal lacks; when it returns, the partial file is whole and confirmed.
 * When the signal aborts, what came is confirmed before the abort is thrown.
 * @returns the first answer, for its name and digests
 * @throws SourceChanged, Fault, the signal's reason, system errors
 */
export async function download(job: DownloadJob): Promise<Delivery> {
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
    first.answer.body.destroy();
    // What came before the error is what counts, not what became of its last bytes.
    await confirmAndClose(file).catch(() => undefined);
    throw error;
  }
  first.answer.body.destroy();
  await confirmAndClose(file);
  return first;
}

async function confirmAndClose(file: PartialFile | undefined): Promise<void> {
  try {
    await file?.flush();
  } finally {
    await file?.close();
  }
}

async function fill(job: DownloadJob, file: PartialFile, first: Delivery): Promise<void> {
  const total = first.validator.size;
  if (total !== undefined && (await freeBytes(dirname(job.path))) < total - file.confirmed) {
    throw new Fault('disk_full');
  }
  if (first.partial && total !== undefined && isProvable(first.validator))
    await fillRanges(job, file, first, total);
  else await fillWhole(job, file, first);
}

/** The first piece that is missing. When nothing is missing, one byte: its answer tells name and digests. */
function nextPiece({ settings }: DownloadJob, before: Awaited<ReturnType<typeof readJournal>>): Range {
  const total = before?.validator.size ?? Number.MAX_SAFE_INTEGER;
  const [gap] = missingRanges(before?.confirmed ?? [], total);
  if (gap === undefined) return { start: 0, end: 1 };
  return { start: gap.start, end: Math.min(gap.end, gap.start + settings.pieceBytes) };
}

/** Several streams take pieces from one list; a stream goes on where its piece was cut. */
async function fillRanges(
  job: DownloadJob,
  file: PartialFile,
  first: Delivery,
  total: number,
): Promise<void> {
  const pieces = splitRanges(file.missing(total), job.settings.pieceBytes);
  let opened: Delivery | undefined = first;
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
  readonly body: Delivery | undefined;
  readonly validator: Validator;
  readonly tell: (bytes: number) => void;
}

async function fillPiece(job: DownloadJob, file: PartialFile, work: PieceWork): Promise<void> {
  const tries = new Tries(job.settings, job.target.url.host);
  let { start } = work.piece;
  let { body } = work;
  while (start < work.piece.end) {
    try {
      body ??= await request(job, work.validator, { start, end: work.piece.end });
      if (!body.partial || !sameVersion(work.validator, body.validator)) throw await letGo(body);
      await pump(body, file, work.piece.end, (bytes) => {
        start += bytes;
        tries.advanced();
        work.tell(bytes);
      });
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
    body = undefined;
  }
}

/** No ranges, or no way to prove that they belong together: one stream, from the start at every try. */
async function fillWhole(job: DownloadJob, file: PartialFile, first: Delivery): Promise<void> {
  const tries = new Tries(job.settings, job.target.url.host);
  let body: Delivery | undefined = first.range.start === 0 && isWhole(first) ? first : undefined;
  let furthest = 0;
  for (;;) {
    try {
      body ??= await request(job, undefined, undefined);
      const version = body.validator;
      if (isProvable(first.validator) && !sameVersion(first.validator, version)) throw await letGo(body);
      let at = 0;
      await pump(body, file, Number.POSITIVE_INFINITY, (bytes) => {
        at += bytes;
        if (at > furthest) tries.advanced();
        furthest = Math.max(furthest, at);
        job.advance(at, version.size ?? 0);
      });
      await file.cut(at);
      return;
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
    body = undefined;
  }
}

const isWhole = ({ partial, range, validator }: Delivery): boolean =>
  !partial || range.end === validator.size;

async function open(job: DownloadJob, validator: Validator | undefined, asked: Range): Promise<Delivery> {
  const tries = new Tries(job.settings, job.target.url.host);
  for (;;) {
    try {
      return await request(job, validator, asked);
    } catch (error) {
      job.signal.throwIfAborted();
      await tries.next(error, job.signal);
    }
  }
}

async function request(
  job: DownloadJob,
  validator: Validator | undefined,
  asked: Range | undefined,
): Promise<Delivery> {
  const condition = validator === undefined ? undefined : ifRange(validator);
  const headers = {
    accept: '*/*',
    'accept-encoding': 'identity',
    'user-agent': 'sluice',
    ...(asked === undefined ? {} : { range: `bytes=${asked.start}-${asked.end - 1}` }),
    ...(asked === undefined || condition === undefined ? {} : { 'if-range': condition }),
  };
  try {
    return await readDelivery(await job.http.get(job.target, headers, job.signal), asked);
  } catch (error) {
    if (error instanceof TryAgain || error instanceof SourceChanged) throw error;
    throw faultOf(error) ?? connectionError(error);
  }
}

async function letGo({ answer }: Delivery): Promise<SourceChanged> {
  answer.body.destroy();
  return new SourceChanged('another version than the bytes before');
}

/** Runs the same work several times at once. The first failure stops the others, and all have ended when it is thrown. */
async function together(
  count: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const failures: unknown[] = [];
  const one = async (): Promise<void> => {
    try {
      await work(AbortSignal.any([signal, stop.signal]));
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: count }, one));
  if (failures.length > 0) throw failures[0];
}
