// The code of a hashing thread. A string, because a thread needs a file of its own otherwise, and that file has
// another name in dist (.js) than in the tests (.ts, transformed in memory); a string runs alike in both.

export interface HashTask {
  readonly path: string;
  /** Names that node:crypto knows. */
  readonly algorithms: readonly string[];
  /** Not 0 = stop at the next read. */
  readonly stop: Int32Array;
}

export type HashAnswer =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly digests: Record<string, string>; readonly size: number }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | undefined };

export const HASH_THREAD_CODE = `
const { createHash } = require('node:crypto');
const { openSync, readSync, closeSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
const buffer = Buffer.allocUnsafe(2 * 1024 * 1024);
const PROGRESS_EVERY = 64 * 1024 * 1024;

function hash({ path, algorithms, stop }) {
  const hashes = algorithms.map((name) => createHash(name));
  const file = openSync(path, 'r');
  try {
    let size = 0;
    let told = 0;
    for (;;) {
      if (Atomics.load(stop, 0) !== 0) throw new Error('stopped');
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) break;
      const chunk = buffer.subarray(0, count);
      for (const one of hashes) one.update(chunk);
      size += count;
      if (size - told >= PROGRESS_EVERY) parentPort.postMessage({ kind: 'progress', bytes: (told = size) });
    }
    if (size > told) parentPort.postMessage({ kind: 'progress', bytes: size });
    return { digests: Object.fromEntries(hashes.map((one, i) => [algorithms[i], one.digest('hex')])), size };
  } finally {
    closeSync(file);
  }
}

parentPort.on('message', (task) => {
  try {
    parentPort.postMessage({ kind: 'done', ...hash(task) });
  } catch (error) {
    parentPort.postMessage({ kind: 'failed', message: error.message, code: error.code });
  }
});
`;
