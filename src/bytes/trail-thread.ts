// The code of a thread that hashes files while they grow. A string for the same reason as in hash-thread.ts.

export type TrailTask =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly path: string;
      readonly from: number;
      readonly algorithm: string;
    }
  | { readonly kind: 'reach' | 'finish'; readonly id: number; readonly to: number }
  | { readonly kind: 'drop'; readonly id: number };

export type TrailAnswer =
  | { readonly kind: 'reached'; readonly id: number }
  | { readonly kind: 'digest'; readonly id: number; readonly hex: string }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

export const TRAIL_THREAD_CODE = `
const { createHash } = require('node:crypto');
const { openSync, readSync, closeSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
const buffer = Buffer.allocUnsafe(512 * 1024);
const trails = new Map();

function advance(trail, to) {
  while (trail.at < to) {
    const count = readSync(trail.file, buffer, 0, Math.min(buffer.length, to - trail.at), trail.at);
    if (count === 0) throw new Error('the file is shorter than what was written to it');
    trail.hash.update(buffer.subarray(0, count));
    trail.at += count;
  }
}

function drop(id) {
  const trail = trails.get(id);
  trails.delete(id);
  if (trail) closeSync(trail.file);
}

parentPort.on('message', ({ kind, id, path, from, algorithm, to }) => {
  try {
    if (kind === 'open') trails.set(id, { file: openSync(path, 'r'), hash: createHash(algorithm), at: from });
    if (kind === 'drop') drop(id);
    const trail = trails.get(id);
    if (trail === undefined) return;
    if (kind === 'reach' || kind === 'finish') advance(trail, to);
    if (kind === 'reach') parentPort.postMessage({ kind: 'reached', id });
    if (kind !== 'finish') return;
    const hex = trail.hash.digest('hex');
    drop(id);
    parentPort.postMessage({ kind: 'digest', id, hex });
  } catch (error) {
    drop(id);
    parentPort.postMessage({ kind: 'failed', id, message: error.message });
  }
});
`;
