// Target `directory`: the product as <path>/<uuid>/ of a disk that this server sees, put in its place by a rename.
import { link, mkdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, isErrno } from '../../../bytes/disk-fault.js';
import { removeTree, sizeOf } from '../../../bytes/files.js';
import { hashFile } from '../../../bytes/hash.js';
import type { FileEntry } from '../../../contracts/claim.js';
import type { DirectoryTarget } from '../../../contracts/targets.js';
import type { FailureCode } from '../../../domain/failure.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import { filesBelow } from '../manifest.js';
import { appendFile } from './directory-copy.js';
import { differs, readAllLocal } from './local.js';
import type { Outgoing, Publisher } from './publisher.js';
import { several } from './several.js';

type Out = Outgoing<DirectoryTarget>;

/** Files that are copied or read together. */
const TOGETHER = 2;
/** What is not whole yet lies in it, beside the products. */
const ASIDE = '.sluice-partial';

export const directoryPublisher: Publisher<DirectoryTarget> = {
  kind: 'directory',

  async publish(outgoing) {
    const { target, uuid, files, signal } = outgoing;
    const url = `${target.url ?? `${target.path}/`}${uuid}/`;
    return await worded(target, async () => {
      await readAllLocal(outgoing);
      await requireDirectory(target);
      if (await isWhole(outgoing)) return { url, sent: 0, readBack: files.length };
      try {
        const sent = await fill(outgoing);
        await swap(outgoing);
        return { url, sent, readBack: files.length };
      } catch (error) {
        // What another attempt could go on with stays, unless there will be none, or its very bytes are in the way.
        const isOver = signal.aborted ? outgoing.isCancelled() : isFull(error);
        if (isOver) await removeTree(nextOf(outgoing)).catch(() => undefined);
        throw error;
      }
    });
  },

  async holds(outgoing) {
    return await worded(outgoing.target, async () => {
      await requireDirectory(outgoing.target);
      return await hasSizes(outgoing);
    });
  },
};

const shownOf = ({ target, uuid }: Out): string => join(target.path, uuid);
const nextOf = ({ target, uuid }: Out): string => join(target.path, ASIDE, uuid);
const formerOf = (outgoing: Out): string => `${nextOf(outgoing)}.old`;

/** A missing one is not made: a disk that is not mounted is noticed. @throws Fault `target_refused` */
async function requireDirectory({ name, path }: DirectoryTarget): Promise<void> {
  if ((await stat(path)).isDirectory()) return;
  throw new Fault('target_refused', `The target ${name} is no directory.`);
}

/** Exactly its files, by name and size. */
async function hasSizes(outgoing: Out): Promise<boolean> {
  const shown = shownOf(outgoing);
  for (const { path, size } of outgoing.files) if ((await sizeOf(join(shown, path))) !== size) return false;
  return (await strange(shown, outgoing.files)).length === 0;
}

/** What an attempt before put there, read again. */
async function isWhole(outgoing: Out): Promise<boolean> {
  const { files, signal, advance } = outgoing;
  if (!(await hasSizes(outgoing))) return false;
  for (const { path, sha256 } of files) {
    if ((await hashFile(join(shownOf(outgoing), path), { signal })).sha256 !== sha256) return false;
    advance(0, path);
  }
  advance(2 * files.reduce((sum, { size }) => sum + size, 0), 'read back');
  return true;
}

/** Makes the whole product beside the one that is shown. @returns bytes that were copied */
async function fill(outgoing: Out): Promise<number> {
  const next = nextOf(outgoing);
  let sent = 0;
  await mkdir(next, { recursive: true });
  await several(TOGETHER, outgoing.files, async (file) => {
    const copied = await bring(outgoing, file);
    sent += copied;
    outgoing.advance(file.size, `${file.path} read back`);
  });
  for (const path of await strange(next, outgoing.files)) await rm(join(next, path), { force: true });
  return sent;
}

/** @returns bytes that were copied. @throws Fault `target_differs` */
async function bring(outgoing: Out, file: FileEntry): Promise<number> {
  const { directory, advance, signal } = outgoing;
  const [from, to] = [join(directory, file.path), join(nextOf(outgoing), file.path)];
  await mkdir(dirname(to), { recursive: true });
  const equal = async (): Promise<boolean> =>
    (await sizeOf(to)) === file.size && (await hashFile(to, { signal })).sha256 === file.sha256;
  if ((await sizeOf(to)) === undefined) await shareShown(outgoing, file, to);
  if (await equal()) {
    advance(file.size, file.path);
    return 0;
  }
  const begun = (await sizeOf(to)) ?? 0;
  // One that is as long or longer may be shared with what is shown, and must not be written into.
  if (begun >= file.size) await rm(to, { force: true });
  const at = begun < file.size ? begun : 0;
  advance(at, file.path);
  await appendFile(from, to, at, outgoing);
  if (await equal()) return file.size - at;
  await rm(to, { force: true });
  // What an earlier attempt began may have been of another product.
  if (at > 0) return await bring({ ...outgoing, advance: () => undefined }, file);
  throw differs(file.path);
}

/** What the product before has too need not be copied, where the disk has hard links. */
async function shareShown(outgoing: Out, { path, size }: FileEntry, to: string): Promise<void> {
  const from = join(shownOf(outgoing), path);
  if ((await sizeOf(from)) === size) await link(from, to).catch(() => undefined);
}

/** Readers see the old product or the new one, and none for the moment between two renames. */
async function swap(outgoing: Out): Promise<void> {
  const [shown, next, former] = [shownOf(outgoing), nextOf(outgoing), formerOf(outgoing)];
  outgoing.signal.throwIfAborted();
  await removeTree(former);
  await rename(shown, former).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
  await rename(next, shown);
  await removeTree(former);
  await rmdir(dirname(next)).catch(() => undefined);
}

/** Files that are not of the product. */
async function strange(directory: string, files: readonly FileEntry[]): Promise<string[]> {
  const own = new Set(files.map(({ path }) => path));
  return (await filesBelow(directory)).filter((path) => !own.has(path));
}

/** What the disk's codes mean, and how that is said of the directory. */
const SIGNS: readonly {
  readonly said: readonly string[];
  readonly code: FailureCode;
  readonly say: string;
}[] = [
  { said: ['ENOSPC', 'EDQUOT'], code: 'target_full', say: 'has no space left' },
  {
    said: ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ELOOP', 'ENAMETOOLONG'],
    code: 'target_refused',
    say: 'is not there or may not be written; is its disk mounted?',
  },
  {
    said: ['EIO', 'ESTALE', 'ETIMEDOUT', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENOTCONN', 'EREMOTEIO'],
    code: 'target_unreachable',
    say: 'does not answer',
  },
];

const signOf = (error: unknown) => SIGNS.find(({ said }) => isErrno(error, ...said));

const isFull = (error: unknown): boolean => (faultOf(error)?.code ?? signOf(error)?.code) === 'target_full';

/** Does the work; what the disk says becomes a fault of the target. */
async function worded<T>({ name, path }: DirectoryTarget, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const sign = signOf(error);
    if (sign === undefined) throw error;
    const say = `The target ${name}, ${path}, ${sign.say} (${errnoOf(error)})`;
    throw new Fault(sign.code, say, { cause: error });
  }
}
