// Content in which every eight bytes tell their place, made where it is needed: bytes that are lost, or lie elsewhere,
// change the digest, and a file of any size takes no memory.
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const WORD = 8;
const BLOCK = 1024 * 1024;

/** So many bytes; those of different marks have no word in common. */
export interface Pattern {
  readonly counted: number;
  readonly mark?: number;
}

/** Bytes of it from `start` on; none lie behind its end. */
export function patternPart({ counted, mark = 0 }: Pattern, start: number, length: number): Buffer {
  const end = Math.max(start, Math.min(counted, start + length));
  const first = Math.floor(start / WORD);
  const words = new Uint32Array(2 * (Math.ceil(end / WORD) - first));
  for (let at = 0; at < words.length; at += 2) {
    words[at] = first + at / 2;
    words[at + 1] = mark;
  }
  const from = start - first * WORD;
  return Buffer.from(words.buffer).subarray(from, from + end - start);
}

/** All of it, in blocks of so many bytes. */
export function* patternBlocks(pattern: Pattern, block = BLOCK): Generator<Buffer> {
  for (let at = 0; at < pattern.counted; at += block) yield patternPart(pattern, at, block);
}

/** Its digest, in hex. */
export function patternDigest(pattern: Pattern, algorithm = 'sha256'): string {
  const hash = createHash(algorithm);
  for (const block of patternBlocks(pattern)) hash.update(block);
  return hash.digest('hex');
}

/** Writes it to a file; makes the directories above. */
export function writePattern(path: string, pattern: Pattern): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  for (const block of patternBlocks(pattern)) writeSync(file, block);
  closeSync(file);
}
