// Data with known values, and independent readers of what came of it.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';

const python = (): string => {
  const path = process.env.SLUICE_PYTHON;
  if (path === undefined) throw new Error('SLUICE_PYTHON is not set: tests start with "npm test"');
  return path;
};

export interface Volume {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Little-endian uint16, z slowest. */
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** A volume whose every voxel depends on its place and the seed. */
export function volume(x: number, y: number, z: number, seed = 1): Volume {
  const values = new Uint16Array(x * y * z);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < values.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[i] = (i + (state >>> 22)) & 0xffff;
  }
  const bytes = Buffer.from(values.buffer);
  return { x, y, z, bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** One uncompressed grey uint16 TIFF page. */
export function tiffPage(x: number, y: number, pixels: Buffer): Buffer {
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, 4, 1, x],
    [257, 4, 1, y],
    [258, 3, 1, 16],
    [259, 3, 1, 1],
    [262, 3, 1, 1],
    [273, 4, 1, 8],
    [277, 3, 1, 1],
    [278, 4, 1, y],
    [279, 4, 1, pixels.length],
    [339, 3, 1, 1],
  ];
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length, 0);
  entries.forEach(([tag, type, count, value], i) => {
    const at = 2 + i * 12;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(count, at + 4);
    directory.writeUInt32LE(value, at + 8);
  });
  const header = Buffer.alloc(8);
  header.write('II');
  header.writeUInt16LE(42, 2);
  header.writeUInt32LE(8 + pixels.length, 4);
  return Buffer.concat([header, pixels, directory]);
}

/** Writes a volume as a stack of single-page files `slice_0.tif` …; returns the directory. */
export function writeStack(directory: string, { x, y, z, bytes }: Volume): string {
  mkdirSync(directory, { recursive: true });
  const page = x * y * 2;
  for (let k = 0; k < z; k += 1) {
    writeFileSync(
      join(directory, `slice_${k}.tif`),
      tiffPage(x, y, bytes.subarray(k * page, (k + 1) * page)),
    );
  }
  return directory;
}

/** SHA-256 and shape of a product as stock OpenVisus reads it. */
export function readProduct(
  idx: string,
  timestep?: number,
): { sha256: string; shape: number[]; dtype: string } {
  const args = ['test/support/voxels.py', idx, ...(timestep === undefined ? [] : [String(timestep)])];
  const out = execFileSync(python(), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(out) as { sha256: string; shape: number[]; dtype: string };
}

/** Runs a piece of Python in the converters' environment. */
export function runPython(code: string, args: readonly string[] = []): string {
  const { status, stdout, stderr } = spawnSync(python(), ['-c', code, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** Runs a Python program in the converters' environment that prints JSON. */
export async function runFile<T>(path: string, args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(python(), [path, ...args], { encoding: 'utf8' });
  return JSON.parse(stdout) as T;
}

/** SHA-256 of a file, in hex, without holding it. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Proves that a product's own list is right, and that its files have the digests of what was given. */
export async function proveProduct(
  directory: string,
  given: Readonly<Record<string, string>>,
): Promise<void> {
  sha256sumCheck(directory);
  for (const [path, sha256] of Object.entries(given)) {
    expect([path, await sha256Of(join(directory, path))]).toEqual([path, sha256]);
  }
}

/** Holds a product against its own checksum list, with the system's tool; what was lost before that list is not seen. */
export function sha256sumCheck(directory: string): void {
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'manifest-sha256.txt'], { cwd: directory });
}

/** Everything below a directory, relative; none when it does not exist. */
export function tree(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  } catch {
    return [];
  }
}

/** Files at any depth that hold a text, absolute. */
export const filesHolding = (directory: string, text: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
