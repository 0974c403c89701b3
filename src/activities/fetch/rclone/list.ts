// What rclone lists: one JSON object a line, with digests where the store has them.
import { quoteName, safeRelativePath } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';
import type { Announced } from '../source.js';

/** More would make lists that no longer fit easily in memory. */
const MOST_FILES = 100_000;

export interface RcloneFile {
  /** As the remote has it. */
  readonly name: string;
  /** Path inside the dataset. */
  readonly path: string;
  readonly size: number;
  readonly modified: string;
  readonly announced: readonly Announced[];
}

interface Entry {
  readonly Path?: unknown;
  readonly Size?: unknown;
  readonly ModTime?: unknown;
  readonly IsDir?: unknown;
  readonly Hashes?: Readonly<Record<string, unknown>>;
}

/** Reads the output of `rclone lsjson` as it comes. */
export class ListReader {
  private rest = '';
  private readonly decoder = new TextDecoder();
  readonly files: RcloneFile[] = [];
  private readonly seen = new Set<string>();

  /** @throws Fault `too_many_files`, `unsafe_name`, `remote_refused` */
  push(bytes: Buffer): void {
    const lines = (this.rest + this.decoder.decode(bytes, { stream: true })).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines)
      if (line.startsWith('{')) this.take(JSON.parse(line.replace(/,\s*$/, '')) as Entry);
  }

  private take({
    Path: name,
    Size: size,
    ModTime: modified,
    IsDir: isDirectory,
    Hashes: hashes,
  }: Entry): void {
    if (isDirectory === true || typeof name !== 'string' || typeof size !== 'number') return;
    if (size < 0) {
      throw new Fault('remote_refused', `The remote does not tell the size of ${quoteName(name)}.`);
    }
    const path = safeRelativePath(name);
    if (this.seen.has(path)) throw new Fault('unsafe_name', `Two files have the name ${quoteName(path)}.`);
    this.seen.add(path);
    this.files.push({ name, path, size, modified: String(modified), announced: digestsOf(hashes ?? {}) });
    if (this.files.length > MOST_FILES) {
      throw new Fault('too_many_files', `There are more than ${MOST_FILES} files.`);
    }
  }
}

/** Those of rclone's digests that we compute, too. */
function digestsOf(hashes: Readonly<Record<string, unknown>>): Announced[] {
  return (['md5', 'sha1', 'sha256', 'sha512'] as const).flatMap((algorithm) => {
    const hex = hashes[algorithm];
    return typeof hex === 'string' && /^[0-9a-f]{32,128}$/i.test(hex)
      ? [{ algorithm, hex: hex.toLowerCase() }]
      : [];
  });
}
