// A thread that hashes: it reads files piece by piece, from the page cache, and keeps the state of each hash in between.
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HashAnswer, HashTask, ReadTask } from './hash-messages.js';

/** One system call; more takes memory and saves no time. */
const BUFFER = Buffer.allocUnsafe(1024 * 1024);

interface Reading {
  readonly file: number;
  readonly hashes: readonly Hash[];
  at: number;
}

const readings = new Map<number, Reading>();

function open({ id, path, from, algorithms }: ReadTask): Reading {
  const reading = {
    file: openSync(path, 'r'),
    hashes: algorithms.map((name) => createHash(name)),
    at: from,
  };
  readings.set(id, reading);
  return reading;
}

function close(id: number): void {
  const reading = readings.get(id);
  readings.delete(id);
  if (reading !== undefined) closeSync(reading.file);
}

function read(task: ReadTask): readonly string[] {
  const reading = readings.get(task.id) ?? open(task);
  const { file, hashes } = reading;
  while (reading.at < task.upTo) {
    if (Atomics.load(task.stop, 0) !== 0) throw new Error('stopped');
    const count = readSync(file, BUFFER, 0, Math.min(BUFFER.length, task.upTo - reading.at), reading.at);
    if (count === 0) throw new Error('the file is shorter than what was written to it');
    for (const hash of hashes) hash.update(BUFFER.subarray(0, count));
    reading.at += count;
  }
  if (!task.isLast) return [];
  close(task.id);
  return hashes.map((hash) => hash.digest('hex'));
}

function obey(task: HashTask): HashAnswer {
  try {
    if (task.kind === 'read') return { kind: 'done', digests: read(task) };
    close(task.id);
    return { kind: 'done', digests: [] };
  } catch (error) {
    close(task.id);
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error), code };
  }
}

parentPort?.on('message', (task: HashTask) => parentPort?.postMessage(obey(task)));
