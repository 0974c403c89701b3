// Which files of a delivery are whole in staging: a line each, so that the next attempt need not ask for them again.
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno, onDisk } from '../../../bytes/disk-fault.js';
import { soundLines, toLine, type Validator } from '../../../bytes/journal.js';
import { writeFileAtomic } from '../../../bytes/json-file.js';
import type { Announced } from '../source.js';

export interface Brought {
  readonly path: string;
  readonly size: number;
  readonly version: Validator;
  readonly announced: readonly Announced[];
}

export class Ledger {
  private readonly file: FileHandle;
  private readonly known = new Map<string, Brought>();

  private constructor(file: FileHandle, known: readonly Brought[]) {
    this.file = file;
    for (const one of known) this.known.set(one.path, one);
  }

  /** @throws Fault `disk_full` */
  static async open(path: string): Promise<Ledger> {
    await onDisk(() => mkdir(dirname(path), { recursive: true }));
    const lines = soundLines(await textOf(path)) as Brought[];
    // Written anew, because what is appended behind a torn line would not be read.
    await writeFileAtomic(path, lines.map(toLine).join(''));
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

  async add(brought: Brought): Promise<void> {
    this.known.set(brought.path, brought);
    await onDisk(() => this.file.appendFile(toLine(brought)));
  }

  async close(): Promise<void> {
    await this.file.close();
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
