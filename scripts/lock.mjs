// A lock between processes: a file that names its owner; a dead owner's lock is taken over.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A takeover takes microseconds; an older mark of one was left by a process that died in it. */
const TAKEOVER_PATIENCE_MS = 10_000;

/**
 * Does the work while no other process does it under the same path.
 * @param {string} path file of the lock; its directory is made
 * @param {() => Promise<T>} work
 * @param {() => void} [onWait] called once when another process holds the lock
 * @template T
 */
export async function withLock(path, work, onWait = () => {}) {
  mkdirSync(dirname(path), { recursive: true });
  const owner = JSON.stringify({ pid: process.pid, started: startOf(process.pid), id: randomUUID() });
  for (let waited = false; !take(path, owner); waited = true) {
    if (!waited) onWait();
    if (!removeStale(path)) await sleep(200);
  }
  try {
    return await work();
  } finally {
    if (read(path) === owner) rmSync(path, { force: true });
  }
}

function take(path, owner) {
  try {
    writeFileSync(path, owner, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead owner's lock. Only one process at a time may do so, lest it removes its successor's. */
function removeStale(path) {
  if (!isStale(path)) return false;
  const mark = `${path}.takeover`;
  if (!take(mark, '')) {
    if (ageOf(mark) > TAKEOVER_PATIENCE_MS) rmSync(mark, { force: true });
    return false;
  }
  try {
    if (!isStale(path)) return false;
    const aside = `${path}.${randomUUID()}`;
    renameSync(path, aside);
    rmSync(aside);
    return true;
  } finally {
    rmSync(mark, { force: true });
  }
}

function isStale(path) {
  const text = read(path);
  if (text === undefined) return false;
  try {
    const { pid, started } = JSON.parse(text);
    return startOf(pid) !== started;
  } catch {
    // Empty or cut: its owner is writing it at this moment, or died doing so.
    return ageOf(path) > TAKEOVER_PATIENCE_MS;
  }
}

/** When the process started (ticks since boot), so that a reused pid is not taken for the owner. */
function startOf(pid) {
  const stat = read(`/proc/${pid}/stat`);
  if (stat !== undefined) return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  try {
    process.kill(pid, 0);
    return 0;
  } catch {
    return undefined;
  }
}

function ageOf(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
