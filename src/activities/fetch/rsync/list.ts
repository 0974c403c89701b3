// What rsync says is there: the lines of --list-only, names taken apart byte by byte, and what of it we can take.
import { quoteName, safeRelativePath } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';

/** More would make lists that no longer fit easily in memory. */
const MOST_FILES = 100_000;
/** rsync's own directory beside a file that is not whole. */
export const PARTIAL_DIR = '.sluice-partial';

export interface RemoteFile {
  /** Way below the directory that was named, as the remote host writes it. */
  readonly name: string;
  /** Path inside the dataset. */
  readonly path: string;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface RemoteList {
  /** A single file was named; its `name` is not below anything. */
  readonly single: boolean;
  readonly files: readonly RemoteFile[];
  /** Links and special files that are left out. */
  readonly leftOut: readonly string[];
}

interface Line {
  readonly type: string;
  readonly name: string;
  readonly size: number;
  readonly mtime: number;
}

const LINE = /^([-dlpscbD])[-rwxsStTl.+]{9,11}\s+(\d+) (\d{4,})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d) (.+)$/s;

/** Reads the output of `rsync --list-only --no-h -8` (in UTC) as it comes. */
export class ListReader {
  private rest = '';
  private readonly lines: Line[] = [];

  /** @throws Fault `too_many_files`, `unsafe_name` */
  push(bytes: Buffer): void {
    // One character a byte: names need not be valid text.
    const lines = (this.rest + bytes.toString('latin1')).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.take(line);
  }

  /**
   * @param leavesOut links and special files are left out instead of refused
   * @throws Fault `remote_link`, `unsafe_name`, `no_files`, `invalid_field`
   */
  end(leavesOut: boolean): RemoteList {
    const [top, ...others] = this.lines.filter(({ name }) => !name.includes('/'));
    const wanted = this.lines.filter(({ type }) => type === '-');
    const odd = this.lines.filter(({ type }) => type !== '-' && type !== 'd');
    const [link] = odd;
    if (link !== undefined && !leavesOut) {
      throw new Fault('remote_link', `${quoteName(link.name)} is a link or a special file.`);
    }
    if (wanted.length === 0) throw new Fault('no_files', 'There is no file there.');
    const above = this.above(top, others);
    const files = wanted.map((line) => asFile(line, above));
    refuseTwins(files);
    return { single: above === undefined, files, leftOut: odd.map(({ name }) => name) };
  }

  /** What stands before the names of a directory's files; undefined: it is a single file. */
  private above(top: Line | undefined, others: readonly Line[]): string | undefined {
    if (this.lines.some(({ type, name }) => type === 'd' && name === '.')) return '';
    if (others.length > 0 || top === undefined) {
      throw new Fault('invalid_field', 'The path stands for several things there; name one of them.');
    }
    return top.type === 'd' ? `${top.name}/` : undefined;
  }

  private take(line: string): void {
    const found = LINE.exec(line);
    if (found === null) return;
    const [, type = '', size, year, month, day, hour, minute, second, escaped = ''] = found;
    const name = textOf(escaped);
    const mtime = Date.UTC(
      Number(year),
      Number(month) - 1,
      Number(day),
      Number(hour),
      Number(minute),
      Number(second),
    );
    this.lines.push({ type, name, size: Number(size), mtime: mtime / 1000 });
    if (this.lines.length <= MOST_FILES) return;
    throw new Fault('too_many_files', `There are more than ${MOST_FILES} entries.`);
  }
}

/** Control characters come as `\#ooo`. */
function textOf(escaped: string): string {
  const bytes = Buffer.from(
    escaped.replace(/\\#([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    'latin1',
  );
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return text;
  throw new Fault('unsafe_name', `The file name ${quoteName(text)} is not valid text.`);
}

function asFile({ name, size, mtime }: Line, above: string | undefined): RemoteFile {
  const way = above === undefined || !name.startsWith(above) ? name : name.slice(above.length);
  if (way.split('/').includes(PARTIAL_DIR)) {
    throw new Fault('unsafe_name', `The directory name ${quoteName(PARTIAL_DIR)} is used by Sluice itself.`);
  }
  return { name: way, path: safeRelativePath(way), size, mtime };
}

/** Two names that differ there may be one name after Unicode normalisation. */
function refuseTwins(files: readonly RemoteFile[]): void {
  const seen = new Set<string>();
  for (const { path } of files) {
    if (seen.has(path)) throw new Fault('unsafe_name', `Two files have the name ${quoteName(path)}.`);
    seen.add(path);
  }
}
