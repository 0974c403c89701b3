// Many files of one delivery through the engine: several in flight, large ones by ranges, small ones in one piece.
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onDisk } from '../../../bytes/disk-fault.js';
import type { FileHash } from '../../../bytes/hash.js';
import type { Validator } from '../../../bytes/journal.js';
import { confirmedBytes, removePartial } from '../../../bytes/partial-file.js';
import { digestOf } from '../../../bytes/receipts.js';
import type { Announced, FetchContext, FetchedFile, Paused, TransferSettings } from '../source.js';
import { stableTransfer } from './engine.js';
import { followFile } from './follow.js';
import { Ledger } from './ledger.js';
import type { Opened, RangeOpener } from './port.js';
import { bringSmall, SMALL_BYTES } from './small.js';
import { together } from './together.js';

/** Small files in flight: each waits for its answer most of the time. */
const SMALL_AT_ONCE = 16;
/** Larger files in flight, each by several streams. */
const LARGE_AT_ONCE = 4;

/** One file as the source listed it. */
export interface TransferItem<O extends Opened = Opened> {
  /** Path inside the dataset; safe, and unlike all others of the delivery. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** What the list told about the version; a file of another version was not brought by an earlier attempt. */
  readonly version: Validator;
  readonly opener: RangeOpener<O>;
  /** Digests that the list told. */
  readonly announced?: readonly Announced[];
  /** Digests that the first answer tells. */
  announcedBy?(first: O): readonly Announced[] | Promise<readonly Announced[]>;
}

/**
 * Brings the files into staging, or goes on where an earlier attempt with the same list ended.
 * @throws Fault, system errors
 */
export async function transferFiles<O extends Opened>(
  context: FetchContext,
  settings: TransferSettings,
  items: readonly TransferItem<O>[],
): Promise<readonly FetchedFile[] | Paused> {
  const total = items.reduce((sum, { size }) => sum + size, 0);
  await context.admit(total);
  const ledger = await Ledger.open(join(context.staging.partial, 'done'));
  const fetched: FetchedFile[] = [];
  const moved = new Map<string, number>();
  const makeDirectory = directories();
  let done = 0;
  const worker = (queue: { item: TransferItem<O>; place: number }[]) => async (signal: AbortSignal) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { item, place } = next;
      const tell = (bytes: number): void => {
        done += bytes - (moved.get(item.path) ?? 0);
        moved.set(item.path, bytes);
        context.advance(done, total, item.path);
      };
      fetched[place] = await bring({ ...context, signal }, settings, { ledger, makeDirectory }, item, tell);
      tell(item.size);
    }
  };
  const places = items.map((item, place) => ({ item, place }));
  const small = worker(places.filter(({ item }) => item.size <= SMALL_BYTES));
  const large = worker(places.filter(({ item }) => item.size > SMALL_BYTES));
  const crews = [
    ...Array.from({ length: SMALL_AT_ONCE }, () => small),
    ...Array.from({ length: Math.min(LARGE_AT_ONCE, settings.streams) }, () => large),
  ];
  try {
    await together(crews, context.signal);
    return fetched;
  } catch (error) {
    if (!context.signal.aborted) throw error;
    const begun = items.filter(({ path, size }) => size > SMALL_BYTES && moved.has(path));
    const parts = await Promise.all(begun.map((item) => confirmedBytes(partialOf(context, item))));
    return { paused: true, confirmed: ledger.bytes + parts.reduce((sum, bytes) => sum + bytes, 0) };
  } finally {
    await ledger.close();
  }
}

interface Shared {
  readonly ledger: Ledger;
  makeDirectory(path: string): Promise<void>;
}

/** Makes each directory once. */
function directories(): Shared['makeDirectory'] {
  const made = new Map<string, Promise<void>>();
  return async (path) => {
    const making = made.get(path) ?? onDisk(() => mkdir(path, { recursive: true })).then(() => undefined);
    made.set(path, making);
    await making;
  };
}

async function bring<O extends Opened>(
  context: FetchContext,
  settings: TransferSettings,
  { ledger, makeDirectory }: Shared,
  item: TransferItem<O>,
  tell: (bytes: number) => void,
): Promise<FetchedFile> {
  const { path, size, version } = item;
  const from = join(context.staging.files, path);
  const before = ledger.find(path, size, version);
  if (before !== undefined) return { path, from, announced: before };
  await makeDirectory(dirname(from));
  const told = async (first: O): Promise<readonly Announced[]> => [
    ...(item.announced ?? []),
    ...((await item.announcedBy?.(first)) ?? []),
  ];
  const small =
    size > SMALL_BYTES
      ? undefined
      : await bringSmall({ opener: item.opener, settings, path: from, context, announced: told });
  const { announced, hash } = small ?? (await bringLarge(context, settings, item, from, { told, tell }));
  await ledger.add({ path, size, version, announced });
  return { path, from, announced, hash, looked: small?.looked };
}

async function bringLarge<O extends Opened>(
  context: FetchContext,
  settings: TransferSettings,
  { path: name, opener }: TransferItem<O>,
  from: string,
  { told, tell }: { told: (first: O) => Promise<readonly Announced[]>; tell: (bytes: number) => void },
): Promise<{ announced: readonly Announced[]; hash: FileHash | undefined }> {
  const path = partialOf(context, { path: name });
  // Asked for before the transfer, for the digests that are computed beside it.
  let announced: readonly Announced[] | undefined;
  const { first, hash } = await stableTransfer({
    opener,
    settings,
    path,
    owner: context.owner,
    signal: context.signal,
    pace: context.pace,
    advance: tell,
    async follow(answer) {
      announced = await told(answer);
      return followFile(path, answer.validator.size, announced);
    },
  });
  await rename(path, from);
  await removePartial(path);
  return { announced: announced ?? (await told(first)), hash };
}

const partialOf = (context: FetchContext, { path }: { readonly path: string }): string =>
  join(context.staging.partial, digestOf(path).slice(0, 32));
