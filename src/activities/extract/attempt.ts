// The directory of one attempt: nobody else touches it while its process lives; what a dead process left is taken over.
import { randomBytes } from 'node:crypto';
import { readdir, rmdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { isErrno } from '../../bytes/disk-fault.js';
import { moveIfThere, removeTree, sizeOf } from '../../bytes/files.js';
import { digestOf } from '../../bytes/receipts.js';
import { startTimeOf } from '../../process/proc.js';

/** Written when an attempt's tree is whole. */
export const PLAN = 'plan.json';

/** The names of this process that are in use. */
const living = new Set<string>();

/** A name that nobody else has, and that tells which process it belongs to: host, pid, start of the process. */
export function attemptName(): string {
  return `${host()}-${process.pid}-${startTimeOf(process.pid) ?? 0}-${randomBytes(4).toString('hex')}`;
}

/**
 * Works in a directory of its own below `parent`: the plan and tree of an attempt that died, or a new one. It is
 * removed when the work is done. When the work fails it stays for the next attempt; it goes with `parent`, too.
 * @param work gets the absolute path, which may not exist yet
 */
export async function inAttempt<T>(parent: string, work: (directory: string) => Promise<T>): Promise<T> {
  const name = attemptName();
  living.add(name);
  try {
    const directory = join(parent, name);
    await takeOver(parent, directory);
    const result = await work(directory);
    await dropAttempt(directory);
    return result;
  } finally {
    living.delete(name);
  }
}

/** Removes the directory of an attempt, and those around it as far as they are empty. */
export async function dropAttempt(directory: string): Promise<void> {
  await removeTree(directory);
  const archive = dirname(directory);
  for (const around of [archive, dirname(archive)]) {
    await rmdir(around).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error;
    });
  }
}

/**
 * Removes what the dead left half done, so that it takes no room.
 * @returns their directories that have a plan
 */
export async function dropDead(parent: string): Promise<string[]> {
  const planned: string[] = [];
  for (const name of (await namesIn(parent)).filter(isDead)) {
    const left = join(parent, name);
    if ((await sizeOf(join(left, PLAN))) === undefined) await removeTree(left);
    else planned.push(left);
  }
  return planned;
}

/** One directory with a plan becomes ours. */
async function takeOver(parent: string, directory: string): Promise<void> {
  let taken = false;
  for (const left of await dropDead(parent)) {
    if (taken) await removeTree(left);
    else taken = await moveIfThere(left, directory);
  }
}

/** Only a process of this very host can be known to be dead. */
function isDead(name: string): boolean {
  const [, at, pid, start] = /^([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}$/.exec(name) ?? [];
  const own = startTimeOf(process.pid);
  if (at !== host() || own === undefined) return false;
  if (Number(pid) === process.pid && Number(start) === own) return !living.has(name);
  return startTimeOf(Number(pid)) !== Number(start);
}

async function namesIn(parent: string): Promise<string[]> {
  try {
    return (await readdir(parent)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

const host = (): string => digestOf(hostname()).slice(0, 8);
