// Archives are read by a program of their own (converters/unpack.py): closed environment, bounded memory, one at a time.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { quoteName, safeRelativePath } from '../../bytes/safe-names.js';
import type { ArchiveKind, FileEntry } from '../../contracts/claim.js';
import { Fault } from '../../domain/fault.js';
import type { Progress } from '../../domain/progress.js';
import type { StageDeps } from '../support/deps.js';
import { callProgram } from '../support/programs.js';

export interface ExtractLimits {
  /** Unpacked bytes of one pass. */
  readonly extractBytes: number;
  /** Unpacked to packed bytes of one archive. */
  readonly extractRatio: number;
  /** Entries of one archive. */
  readonly extractEntries: number;
  /** Directories above a file of an archive. */
  readonly extractDepth: number;
}

export interface ExtractDeps extends StageDeps {
  readonly limits: ExtractLimits;
}

export interface ArchiveAtHand {
  /** Path inside the dataset. */
  readonly path: string;
  readonly kind: ArchiveKind;
  /** Packed bytes. */
  readonly size: number;
  /** Absolute path on this machine. */
  readonly file: string;
}

/** What an archive held. */
export interface Unpacked {
  /** Paths relative to the tree, sorted. */
  readonly files: readonly FileEntry[];
  /** It was one compressed file and no archive: there is one file, which belongs beside it. */
  readonly single: boolean;
}

/** The largest window (dictionary) that a compressed stream may ask for, bytes. */
const WINDOW = 512 * 1024 * 1024;

/**
 * Looks at every entry that can be known without unpacking; nothing is written.
 * @param work a directory of the caller, made when absent
 * @throws Fault `archive_unsafe`, `archive_bomb`, `archive_encrypted`, `archive_broken`, `archive_unsupported`,
 * `archive_multivolume`, `disk_full`
 */
export async function inspect(
  deps: ExtractDeps,
  call: { readonly uuid: string; readonly work: string; readonly archives: readonly ArchiveAtHand[] },
): Promise<void> {
  const { uuid, work, archives } = call;
  await run(deps, uuid, work, { archives: archives.map(told), tree: null, nested: false });
}

/**
 * Looks at the archive, then unpacks it into `tree`, which must be empty. The limits hold for what really comes,
 * whatever was announced. Progress counts packed bytes.
 * @throws as inspect
 */
export async function unpack(
  deps: ExtractDeps,
  call: {
    readonly uuid: string;
    readonly archive: ArchiveAtHand;
    readonly tree: string;
    readonly nested: boolean;
    readonly shown: (own: Progress) => Progress;
  },
): Promise<Unpacked> {
  const { uuid, archive, tree, nested, shown } = call;
  const work = join(dirname(tree), 'run');
  const list = join(work, 'files.json');
  const result = await run(deps, uuid, work, { archives: [told(archive)], tree, nested, list }, shown);
  const { files } = JSON.parse(await readFile(list, 'utf8')) as { files: FileEntry[] };
  for (const { path } of files) requireSafe(archive.path, path);
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), single: result['single'] === true };
}

const told = ({ path: name, kind, size, file: path }: ArchiveAtHand) => ({ path, name, kind, size });

async function run(
  deps: ExtractDeps,
  uuid: string,
  work: string,
  request: Readonly<Record<string, unknown>>,
  shown?: (own: Progress) => Progress,
): Promise<Record<string, unknown>> {
  const {
    extractBytes: bytes,
    extractRatio: ratio,
    extractEntries: entries,
    extractDepth: depth,
  } = deps.limits;
  const limits = { bytes, ratio, entries, depth, window: WINDOW };
  return await callProgram(deps, {
    uuid,
    stage: 'extract',
    program: 'unpack',
    work,
    request: { ...request, room: deps.roots.in, limits },
    ...(shown === undefined ? {} : { shown }),
  });
}

/** The program has refused what is unsafe; a mistake in it must not reach the dataset. */
function requireSafe(archive: string, path: string): void {
  try {
    if (safeRelativePath(path) === path) return;
  } catch (error) {
    throw unsafe(archive, path, error);
  }
  throw unsafe(archive, path);
}

function unsafe(archive: string, path: string, cause?: unknown): Fault {
  const say = `The entry ${quoteName(path)} of the archive ${quoteName(archive)} has a name that is not safe.`;
  return new Fault('archive_unsafe', say, { cause });
}
