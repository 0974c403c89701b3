// The range journal beside a partial file: which bytes are surely there, of which version of the source, and who writes.
import { readFileSync } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { isErrno, onDisk } from './disk-fault.js';
import { writeFileAtomic } from './json-file.js';
import { mergeRanges, type Range, rangesInBoth } from './ranges.js';

/** What tells one version of a source from another. Absent parts are unknown. */
export interface Validator {
  readonly etag?: string;
  readonly lastModified?: string;
  /** Bytes. */
  readonly size?: number;
}

/**
 * Who writes: the activity's run and attempt. `since` (when the server scheduled the attempt, ms) orders them,
 * because the attempts of an activity that was started again after a pause count from 1 again.
 */
export interface Owner {
  readonly runId: string;
  readonly attempt: number;
  readonly since: number;
}

/** Somebody newer writes this file: stop without touching anything. */
export class JournalTaken extends Error {
  override readonly name = 'JournalTaken';
  constructor() {
    super('a newer attempt has taken over this file');
  }
}

/**
 * Which start of which machine this is. What was written survives any death of a process, but not that of the
 * machine: written ranges count under the same start only, synced ones always.
 */
export const BOOT = bootId();
/** Marks the line of a range that was written and not synced yet. */
const WRITTEN = 'w';

/**
 * Lines, each with a checksum: first the head (validator, owner, start of the machine), then one per range; a torn
 * line ends the reading. Taking over writes a new file and renames it, so an older writer's handle points at a file that
 * is no longer there, and its next confirmation is refused.
 */
export class RangeJournal {
  private readonly path: string;
  private readonly file: FileHandle;
  private readonly inode: number;
  private known: Range[];

  private constructor(path: string, file: FileHandle, inode: number, known: Range[]) {
    this.path = path;
    this.file = file;
    this.inode = inode;
    this.known = known;
  }

  /**
   * Starts writing, with the ranges that are confirmed already.
   * @throws JournalTaken when the journal belongs to a newer owner
   */
  static async take(
    path: string,
    owner: Owner,
    validator: Validator,
    known: readonly Range[],
  ): Promise<RangeJournal> {
    const before = await readJournal(path);
    if (before !== undefined && isOlder(owner, before.owner)) throw new JournalTaken();
    const ranges = mergeRanges(known);
    const synced = rangesInBoth(ranges, before?.synced ?? []);
    const head = { validator, owner, ...(BOOT === undefined ? {} : { boot: BOOT }) };
    const lines = [
      toLine(head),
      ...synced.map((range) => lineOf(range)),
      ...ranges.map((range) => lineOf(range, WRITTEN)),
    ];
    // Without a journal everything is fetched anew, so it need not outlive the machine before the bytes do.
    await writeFileAtomic(path, lines.join(''), 0o644, { sync: false });
    const file = await open(path, 'a');
    return new RangeJournal(path, file, (await file.stat()).ino, ranges);
  }

  /** Sorted, merged. */
  get confirmed(): readonly Range[] {
    return this.known;
  }

  /**
   * Adds ranges that were written: they survive the death of this process.
   * @throws JournalTaken, Fault `disk_full`
   */
  async confirm(ranges: readonly Range[]): Promise<void> {
    if (ranges.length === 0) return;
    await this.mine();
    await onDisk(() => this.file.appendFile(ranges.map((range) => lineOf(range, WRITTEN)).join('')));
    this.known = mergeRanges([...this.known, ...ranges]);
  }

  /**
   * Notes that the bytes of these ranges are synced: they survive the death of the machine as well.
   * @throws JournalTaken, Fault `disk_full`
   */
  async synced(ranges: readonly Range[]): Promise<void> {
    if (ranges.length === 0) return;
    await this.mine();
    await onDisk(() => this.file.appendFile(ranges.map((range) => lineOf(range)).join('')));
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  /** @throws JournalTaken when the file under our name is another one by now */
  private async mine(): Promise<void> {
    try {
      if ((await stat(this.path)).ino === this.inode) return;
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
    throw new JournalTaken();
  }
}

export interface JournalContent {
  readonly validator: Validator;
  readonly owner: Owner;
  /** What is surely there now. */
  readonly confirmed: readonly Range[];
  /** The part of it that would outlive the machine. */
  readonly synced: readonly Range[];
}

/** What a journal says, or undefined when there is none or its head is damaged. */
export async function readJournal(path: string): Promise<JournalContent | undefined> {
  const lines = soundLines(await textOf(path));
  const head = lines.shift() as Head | undefined;
  if (head === undefined) return undefined;
  const ranges = (lines as RangeLine[]).map(([start, end, mark]) => ({ start, end, mark }));
  const isSynced = ({ mark }: { mark?: unknown }): boolean => mark !== WRITTEN;
  const sameStart = BOOT !== undefined && head.boot === BOOT;
  return {
    validator: head.validator,
    owner: head.owner,
    confirmed: mergeRanges(sameStart ? ranges : ranges.filter(isSynced)),
    synced: mergeRanges(ranges.filter(isSynced)),
  };
}

type Head = Pick<JournalContent, 'validator' | 'owner'> & { readonly boot?: string };
type RangeLine = [start: number, end: number, mark?: typeof WRITTEN];

const lineOf = ({ start, end }: Range, mark?: typeof WRITTEN): string =>
  toLine(mark === undefined ? [start, end] : [start, end, mark]);

function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // A system that does not tell: nothing unsynced counts after a restart.
    return undefined;
  }
}

function isOlder(owner: Owner, than: Owner): boolean {
  if (owner.since !== than.since) return owner.since < than.since;
  return owner.runId === than.runId && owner.attempt < than.attempt;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return '';
    throw error;
  }
}

const checksum = (json: string): string => crc32(json).toString(16).padStart(8, '0');

/** A value as a line with its checksum. */
export function toLine(value: unknown): string {
  const json = JSON.stringify(value);
  return `${checksum(json)} ${json}\n`;
}

/** The values of the lines up to the first one that is torn. */
export function soundLines(text: string): unknown[] {
  const values: unknown[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const json = line.slice(9);
    if (line.slice(0, 8) !== checksum(json)) break;
    values.push(JSON.parse(json));
  }
  return values;
}
