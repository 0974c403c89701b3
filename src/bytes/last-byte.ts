// When the last byte of an upload came, as the disk knows it: true for all processes, and over every restart.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Roots } from './layout.js';
import { uploadStaging } from './staging.js';

/** Milliseconds since 1970; 0 when nothing has come. */
export async function lastByteAt(roots: Roots, jobId: string): Promise<number> {
  const { root } = uploadStaging(roots, jobId);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  let last = 0;
  for (const path of files) last = Math.max(last, (await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
  return last;
}
