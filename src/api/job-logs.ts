// The logs of a dataset's programs: one file per stage below the home directory, written by the workers.
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../bytes/disk-fault.js';
import { Fault } from '../domain/fault.js';
import { isUuid } from '../domain/ids.js';
import { STAGES } from '../domain/stage.js';

/** The last `tail` bytes of all logs in the order of the stages, each with its name above; empty when there is none. */
export async function readJobLogs(home: string, uuid: string, tail: number): Promise<string> {
  if (!isUuid(uuid)) throw new Fault('not_found');
  const directory = join(home, 'joblogs', uuid);
  const parts: string[] = [];
  let left = tail;
  for (const name of (await logNames(directory)).reverse()) {
    const text = await lastBytes(join(directory, name), left);
    parts.unshift(`==> ${name} <==\n${text}`);
    left -= Buffer.byteLength(text);
    if (left <= 0) break;
  }
  return parts.join('\n');
}

async function logNames(directory: string): Promise<string[]> {
  try {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.log'));
    return names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

const rank = (name: string): number => {
  const at = STAGES.findIndex((stage) => name.startsWith(stage));
  return at < 0 ? STAGES.length : at;
};

async function lastBytes(path: string, limit: number): Promise<string> {
  const { size } = await stat(path);
  const length = Math.min(size, limit);
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
