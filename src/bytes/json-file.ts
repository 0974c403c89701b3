// JSON files that are there whole or not at all.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno, onDisk } from './disk-fault.js';

/**
 * Writes a file so that readers see the old content or the new one: own temporary name, fsync, rename.
 * Makes its directory.
 * @param options `sync` false: the death of the machine may leave an empty file; that of a process never does
 * @throws Fault `disk_full`
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
  options: { readonly sync?: boolean } = {},
): Promise<void> {
  await onDisk(async () => {
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
    try {
      await writeNew(temporary, content, mode, options.sync ?? true);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

/** The value as JSON, written like writeFileAtomic. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value)}\n`);
}

/** The parsed file, or undefined when there is none. The caller checks its shape. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function writeNew(
  path: string,
  content: string | Uint8Array,
  mode: number,
  sync: boolean,
): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
}
