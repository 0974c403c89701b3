// Which files of a delivery are whole in staging: a line each, so that the next attempt need not ask for them again.
// The bytes are not synced, so it counts until the machine starts again.
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno, onDisk } from '../../../bytes/disk-fault.js';
import { BOOT, soundLines, toLine, type Validator } from '../../../bytes/journal.js';
import { writeFileAtomic } from '../../../bytes/json-file.js';
import type { Announced } from '../source.js';

export interface Brought {
  readonly path: string;
  readonly size: number;
  readonly version: Validator;
  readonly announced: readonly Announced[];
}

const LINES_AT_ONCE = 64;
/** Less than what may be moved twice after a kill. */
const BYTES_AT_ONCE = 4 * 1024 * 1024;

export class Ledger {
  private readonly file: FileHandle;
  private readonly known = new Map<string, Brought>();
  private lines: string[] = [];
  private unwritten = 0;

  private constructor(file: FileHandle, known: readonly Brought[]) {
    this.file = file;
    for (const one of known) this.known.set(one.path, one);
  }

  /** @throws Fault `disk_full` */
  static async open(path: string): Promise<Ledger> {
    await onDisk(() => mkdir(dirname(path), { recursive: true }));
    const [head, ...rest] = soundLines(await textOf(path)) as [{ boot?: string }?, ...Brought[]];
    const lines = BOOT !== undefined && head?.boot === BOOT ? rest : [];
    // Written anew, because what is appended behind a torn line would not be read.
    const text = [{ boot: BOOT }, ...lines].map(toLine).join('');
    await writeFileAtomic(path, text, 0o644, { sync: false });
    return new Ledger(await open(path, 'a'), lines);
  }

  /** Bytes of the files that are whole. */
  get bytes(): number {
    return [...this.known.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** The digests that were announced for it, when this very version was brought whole. */
  find(path: string, size: number, version: Validator): readonly Announced[] | undefined {
    const found = this.known.get(path);
    const same = found?.size === size && JSON.stringify(found.version) === JSON.stringify(version);
    return same ? found?.announced : undefined;
  }

  /** Lines are written together: what a death loses of them is asked for again. */
  async add(brought: Brought): Promise<void> {
    this.known.set(brought.path, brought);
    this.lines.push(toLine(brought));
    this.unwritten += brought.size;
    if (this.lines.length >= LINES_AT_ONCE || this.unwritten >= BYTES_AT_ONCE) await this.write();
  }

  async close(): Promise<void> {
    try {
      await this.write();
    } finally {
      await this.file.close();
    }
  }

  private async write(): Promise<void> {
    const text = this.lines.join('');
    this.lines = [];
    this.unwritten = 0;
    if (text !== '') await onDisk(() => this.file.appendFile(text));
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
