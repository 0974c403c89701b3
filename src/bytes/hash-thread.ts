// The code of a hashing thread. A string, because a thread needs a file of its own otherwise, and that file has
// another name in dist (.js) than in the tests (.ts, transformed in memory); a string runs alike in both.

/** A file from its first byte to its last. */
interface WholeTask {
  readonly kind: 'whole';
  readonly path: string;
  /** Names that node:crypto knows, or `md5-parts-<bytes>` (see PartsDigest). */
  readonly algorithms: readonly string[];
  /** Not 0 = stop at the next read. */
  readonly stop: Int32Array;
}

/** Some bytes of a file, by themselves. */
interface PartTask {
  readonly kind: 'part';
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly algorithm: string;
  readonly stop: Int32Array;
}

/** A file that grows: the next bytes of it, from where the last slice ended. */
interface SliceTask {
  readonly kind: 'slice';
  readonly id: string;
  readonly path: string;
  readonly algorithms: readonly string[];
  readonly upTo: number;
  readonly stop: Int32Array;
}

/** The digests of a file of which all slices were read; or nothing of it is wanted any more. */
interface EndTask {
  readonly kind: 'digest' | 'drop';
  readonly id: string;
}

export type HashTask = WholeTask | PartTask | SliceTask | EndTask;

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

function hasher(name) {
  const part = /^md5-parts-(\\d+)$/.exec(name);
  return part === null ? createHash(name) : partsHasher(Number(part[1]));
}

function partsHasher(partBytes) {
  const whole = createHash('md5');
  let parts = 0;
  let part = createHash('md5');
  let room = partBytes;
  const next = () => {
    whole.update(part.digest());
    parts += 1;
    part = createHash('md5');
    room = partBytes;
  };
  return {
    update(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const count = Math.min(room, chunk.length - at);
        part.update(chunk.subarray(at, at + count));
        at += count;
        room -= count;
        if (room === 0) next();
      }
    },
    digest() {
      if (room < partBytes) next();
      return whole.digest('hex') + '-' + parts;
    },
  };
}

function hash({ path, algorithms, stop }) {
  const hashes = algorithms.map(hasher);
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

function part({ path, from, to, algorithm, stop }) {
  const hash = createHash(algorithm);
  const file = openSync(path, 'r');
  try {
    for (let at = from; at < to; ) {
      if (Atomics.load(stop, 0) !== 0) throw new Error('stopped');
      const count = readSync(file, buffer, 0, Math.min(buffer.length, to - at), at);
      if (count === 0) throw new Error('the file is shorter than what was written');
      hash.update(buffer.subarray(0, count));
      at += count;
    }
    return { digests: { [algorithm]: hash.digest('hex') }, size: to - from };
  } finally {
    closeSync(file);
  }
}

const followed = new Map();

function slice({ id, path, algorithms, upTo, stop }) {
  const one = followed.get(id) ?? { file: openSync(path, 'r'), algorithms, hashes: algorithms.map(hasher), at: 0 };
  followed.set(id, one);
  while (one.at < upTo) {
    if (Atomics.load(stop, 0) !== 0) throw new Error('stopped');
    const count = readSync(one.file, buffer, 0, Math.min(buffer.length, upTo - one.at), one.at);
    if (count === 0) throw new Error('the file is shorter than what was written');
    const chunk = buffer.subarray(0, count);
    for (const hash of one.hashes) hash.update(chunk);
    one.at += count;
  }
  return { digests: {}, size: one.at };
}

function end(id) {
  const one = followed.get(id);
  followed.delete(id);
  if (one === undefined) return { digests: {}, size: 0 };
  closeSync(one.file);
  return { digests: Object.fromEntries(one.hashes.map((hash, i) => [one.algorithms[i], hash.digest('hex')])), size: one.at };
}

const work = { whole: hash, part, slice, digest: ({ id }) => end(id), drop: ({ id }) => end(id) };

parentPort.on('message', (task) => {
  try {
    parentPort.postMessage({ kind: 'done', ...work[task.kind](task) });
  } catch (error) {
    parentPort.postMessage({ kind: 'failed', message: error.message, code: error.code });
  }
});
`;
