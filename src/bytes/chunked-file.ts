// A file that comes in pieces of one size, in any order and several at once, beside a map of the pieces that are
// there. The map is the truth, in every process and after every death; a piece stands in it when its digest was seen.
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { Fault } from '../domain/fault.js';
import { onDisk } from './disk-fault.js';
import { DigestFollower } from './hash-follow.js';
import type { Roots } from './layout.js';
import { type Pace, pump } from './pump.js';
import { uploadStaging } from './staging.js';

/** One line of the map: 32 bytes of digest, a mark, and room to a power of two, so that none crosses a page. */
const LINE = 64;
const MARK = 0x2a;
const IDLE_MS = 60_000;

export interface ChunkPlan {
  /** Of the whole file, bytes; > 0. */
  readonly bytes: number;
  /** Of every piece but the last, bytes. */
  readonly chunkBytes: number;
}

export interface ChunkOptions {
  /** Hex; compared before the piece counts. */
  readonly sha256?: string | undefined;
  readonly signal: AbortSignal;
  readonly pace?: Pace;
  /** Asked right before every write. @throws what then ends it */
  mayWrite?(): void;
}

export const chunkCount = ({ bytes, chunkBytes }: ChunkPlan): number => Math.ceil(bytes / chunkBytes);

export class ChunkedFile {
  /** Absolute. */
  readonly path: string;
  readonly #plan: ChunkPlan;
  readonly #file: FileHandle;
  readonly #map: FileHandle;

  private constructor(path: string, plan: ChunkPlan, file: FileHandle, map: FileHandle) {
    this.path = path;
    this.#plan = plan;
    this.#file = file;
    this.#map = map;
  }

  /**
   * Opens the file of an upload, and makes it (in its full length, without blocks) the first time.
   * @param path inside the dataset, safe
   */
  static async open(roots: Roots, jobId: string, path: string, plan: ChunkPlan): Promise<ChunkedFile> {
    const staging = uploadStaging(roots, jobId);
    const whole = join(staging.files, path);
    const map = join(staging.partial, 'pieces');
    return await onDisk(async () => {
      await mkdir(dirname(whole), { recursive: true });
      await mkdir(staging.partial, { recursive: true });
      const file = await open(whole, 'a+')
        .then((made) => made.close())
        .then(() => open(whole, 'r+'));
      const pieces = await open(map, 'a+')
        .then((made) => made.close())
        .then(() => open(map, 'r+'));
      if ((await file.stat()).size < plan.bytes) await file.truncate(plan.bytes);
      return new ChunkedFile(whole, plan, file, pieces);
    });
  }

  /** The pieces that are there, ascending. */
  async present(): Promise<number[]> {
    const lines = Buffer.alloc(chunkCount(this.#plan) * LINE);
    await this.#map.read(lines, 0, lines.length, 0);
    return Array.from({ length: chunkCount(this.#plan) }, (_, index) => index).filter(
      (index) => lines[index * LINE + 32] === MARK,
    );
  }

  /** The digest (hex) of a piece that is there. */
  async digestOf(index: number): Promise<string | undefined> {
    const line = Buffer.alloc(LINE);
    await this.#map.read(line, 0, LINE, index * LINE);
    return line[32] === MARK ? line.toString('hex', 0, 32) : undefined;
  }

  /** Length of a piece, bytes. */
  lengthOf(index: number): number {
    return Math.min(this.#plan.chunkBytes, this.#plan.bytes - index * this.#plan.chunkBytes);
  }

  /**
   * Writes a piece in its place. A piece that is there already is not written again, only compared by digest.
   * The caller keeps two requests off one piece (`takeWriter` with a name of its own).
   * @returns its digest, hex
   * @throws Fault checksum_mismatch, upload_interrupted (too short), payload_too_large, disk_full
   */
  async write(index: number, body: Readable, options: ChunkOptions): Promise<string> {
    const { sha256, signal, mayWrite, pace } = options;
    const there = await this.digestOf(index);
    if (there !== undefined) {
      body.resume();
      if (sha256 !== undefined && sha256 !== there) throw differs(index);
      return there;
    }
    const at = index * this.#plan.chunkBytes;
    const length = this.lengthOf(index);
    const follower = new DigestFollower(this.path, ['sha256'], { from: at });
    try {
      const { bytes, failure } = await pump(body, {
        file: this.#file,
        at,
        most: length,
        idleMs: IDLE_MS,
        signal,
        ...(mayWrite === undefined ? {} : { mayWrite }),
        ...(pace === undefined ? {} : { pace }),
        onWritten: (written) => follower.advance(at + written),
      });
      if (failure !== undefined) throw failure;
      if (bytes !== length) {
        throw new Fault('upload_interrupted', `Piece ${index} has ${bytes} bytes; it must have ${length}.`);
      }
      const [digest = ''] = await follower.finish(at + length);
      if (sha256 !== undefined && sha256 !== digest) throw differs(index);
      mayWrite?.();
      await this.#confirm(index, digest);
      return digest;
    } catch (error) {
      follower.drop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#file.close(), this.#map.close()]);
  }

  async #confirm(index: number, digest: string): Promise<void> {
    const line = Buffer.alloc(LINE);
    line.write(digest, 'hex');
    line[32] = MARK;
    await onDisk(() => this.#map.write(line, 0, LINE, index * LINE));
  }
}

const differs = (index: number): Fault =>
  new Fault('checksum_mismatch', `The bytes of piece ${index} do not have the digest that was announced.`);
