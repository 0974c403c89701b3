// The range journal beside a partial file: which bytes are surely there, of which version of the source, and who writes.
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { isErrno, onDisk } from './disk-fault.js';
import { writeFileAtomic } from './json-file.js';
import { mergeRanges, type Range } from './ranges.js';

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
 * Lines, each with a checksum: first the head (validator, owner), then one per confirmed range; a torn line ends
 * the reading. Taking over writes a new file and renames it, so an older writer's handle points at a file that
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
    const lines = [{ validator, owner }, ...ranges.map(({ start, end }) => [start, end])];
    await writeFileAtomic(path, lines.map(toLine).join(''));
    const file = await open(path, 'a');
    return new RangeJournal(path, file, (await file.stat()).ino, ranges);
  }

  /** Sorted, merged. */
  get confirmed(): readonly Range[] {
    return this.known;
  }

  /**
   * Adds ranges. The caller has synced their bytes before.
   * @throws JournalTaken, Fault `disk_full`
   */
  async confirm(ranges: readonly Range[]): Promise<void> {
    if (ranges.length === 0) return;
    await this.mine();
    await onDisk(async () => {
      await this.file.appendFile(ranges.map(({ start, end }) => toLine([start, end])).join(''));
      await this.file.datasync();
    });
    this.known = mergeRanges([...this.known, ...ranges]);
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
  readonly confirmed: readonly Range[];
}

/** What a journal says, or undefined when there is none or its head is damaged. */
export async function readJournal(path: string): Promise<JournalContent | undefined> {
  const lines = soundLines(await textOf(path));
  const head = lines.shift() as Pick<JournalContent, 'validator' | 'owner'> | undefined;
  if (head === undefined) return undefined;
  const ranges = (lines as [number, number][]).map(([start, end]) => ({ start, end }));
  return { validator: head.validator, owner: head.owner, confirmed: mergeRanges(ranges) };
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
