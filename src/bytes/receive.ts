// Receiving: bytes that a client sends to the API go into the staging area of their job.
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { Fault } from '../domain/fault.js';
import { isErrno, onDisk } from './disk-fault.js';
import { DigestFollower } from './hash-follow.js';
import { readJson, writeJson } from './json-file.js';
import type { Roots } from './layout.js';
import { type Pace, type PumpOptions, pump } from './pump.js';
import { quoteName, safeRelativePath } from './safe-names.js';
import { uploadStaging } from './staging.js';

/** One file of the marker: its path inside the dataset and its bytes. */
export interface ReceivedFile {
  readonly path: string;
  readonly size: number;
  /** Hex; what the file must have, by its client's word or by what was hashed while it came. */
  readonly sha256?: string;
}

/** `most`: no limit unless one is given. */
export type FillOptions = Pick<PumpOptions, 'idleMs' | 'signal' | 'onWritten'> &
  Partial<Pick<PumpOptions, 'most'>>;

/** A file that is being received. */
export interface ReceivingFile {
  /** Its path inside the dataset. */
  readonly path: string;
  /** Writes a whole body into it. @throws Fault upload_interrupted, payload_too_large, disk_full */
  fill(body: Readable, options: FillOptions): Promise<void>;
  /** It has all its bytes. @returns how many @throws Fault `checksum_mismatch`, `disk_full` */
  close(): Promise<number>;
}

export interface ReceivingOptions {
  /** Hex, as it was announced: the file must have it. */
  readonly sha256?: string | undefined;
  /** Hash while it comes, also when nothing was announced. */
  readonly hash?: boolean;
  /** Limits on bandwidth: asked for every piece, before it is written. */
  readonly pace?: Pace | undefined;
}

export interface Receiver {
  /**
   * Opens the next file.
   * @throws Fault `empty_file_name`, `unsafe_name`, `disk_full`; `invalid_field` when the upload has that name already
   */
  file(name: string, options?: ReceivingOptions): Promise<ReceivingFile>;
  /** Says that the last byte has come: writes the marker. Every file must be closed by now. */
  finish(): Promise<{ files: number; bytes: number }>;
  /** Closes what is open and removes everything that came. May be called at any time, also after a failure. */
  abort(): Promise<void>;
}

/** Opens the staging area of a job for bytes from a client. The bytes are not synced to the disk (docs: limits). */
export function openReceiver(roots: Roots, jobId: string): Receiver {
  const staging = uploadStaging(roots, jobId);
  const coming = new Map<string, IncomingFile>();
  const received: ReceivedFile[] = [];

  return {
    async file(name, { sha256, hash = sha256 !== undefined, pace } = {}) {
      const path = safeRelativePath(name);
      const place = join(staging.files, path);
      const follower = hash ? new DigestFollower(place, ['sha256']) : undefined;
      const file = new IncomingFile(await create(place, name), follower, pace);
      coming.set(path, file);
      const close = async (): Promise<number> => {
        const digest = await file.close();
        if (sha256 !== undefined && digest !== sha256) throw otherDigest(name, digest ?? 'unknown');
        const proof = digest === undefined ? {} : { sha256: digest };
        if (coming.delete(path)) received.push({ path, size: file.bytes, ...proof });
        return file.bytes;
      };
      return { path, fill: (body, options) => file.fill(body, options), close };
    },

    async finish() {
      const [unfinished] = coming.keys();
      if (unfinished !== undefined) {
        throw new Fault('upload_interrupted', `The transfer of ${quoteName(unfinished)} did not end.`);
      }
      return await markReceived(roots, jobId, received);
    },

    async abort() {
      await Promise.all([...coming.values()].map((file) => file.abort()));
      coming.clear();
      await rm(staging.root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Writes the marker: the last byte of each of these files lies in staging. */
export async function markReceived(
  roots: Roots,
  jobId: string,
  files: readonly ReceivedFile[],
): Promise<{ files: number; bytes: number }> {
  await writeJson(uploadStaging(roots, jobId).marker, { files });
  return totals(files);
}

/** What a list of files comes to. */
export const totals = (files: readonly ReceivedFile[]): { files: number; bytes: number } => ({
  files: files.length,
  bytes: files.reduce((sum, { size }) => sum + size, 0),
});

/** The files that a client sent whole, or undefined when its marker is missing. */
export async function readReceived(
  roots: Roots,
  jobId: string,
): Promise<readonly ReceivedFile[] | undefined> {
  const marker = await readJson(uploadStaging(roots, jobId).marker);
  if (marker === undefined) return undefined;
  const { files } = marker as { files?: unknown };
  if (!Array.isArray(files)) throw new Error('the marker of a received upload has no list of files');
  return files as ReceivedFile[];
}

const otherDigest = (name: string, digest: string): Fault =>
  new Fault(
    'checksum_mismatch',
    `The file ${quoteName(name)} has the SHA-256 digest ${digest}, not the announced one.`,
  );

/** Creates a file that is not there yet. */
async function create(path: string, name: string): Promise<FileHandle> {
  try {
    return await onDisk(async () => {
      await mkdir(dirname(path), { recursive: true });
      return await open(path, 'wx');
    });
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'ENOTDIR', 'EISDIR')) throw error;
    throw new Fault('invalid_field', `The upload holds two files with the name ${quoteName(name)}.`);
  }
}

/** A file that is being written from its beginning. */
class IncomingFile {
  bytes = 0;
  readonly #handle: FileHandle;
  readonly #follower: DigestFollower | undefined;
  readonly #pace: Pace | undefined;
  readonly #stop = new AbortController();
  #filling: Promise<unknown> = Promise.resolve();

  constructor(handle: FileHandle, follower: DigestFollower | undefined, pace: Pace | undefined) {
    this.#handle = handle;
    this.#follower = follower;
    this.#pace = pace;
  }

  async fill(body: Readable, { signal, onWritten, ...options }: FillOptions): Promise<void> {
    const at = this.bytes;
    const filling = pump(body, {
      most: Number.MAX_SAFE_INTEGER,
      ...options,
      ...(this.#pace === undefined ? {} : { pace: this.#pace }),
      signal: AbortSignal.any([signal, this.#stop.signal]),
      file: this.#handle,
      at,
      onWritten: (bytes) => {
        this.bytes = at + bytes;
        this.#follower?.advance(this.bytes);
        onWritten?.(bytes);
      },
    });
    this.#filling = filling;
    const { failure } = await filling;
    if (failure !== undefined) throw failure;
  }

  /** Hex; nothing when it is not hashed. */
  async close(): Promise<string | undefined> {
    await onDisk(() => this.#handle.close());
    return (await this.#follower?.finish(this.bytes))?.[0];
  }

  /** Whatever it is at. */
  async abort(): Promise<void> {
    this.#stop.abort();
    this.#follower?.drop();
    await this.#filling;
    await this.#handle.close().catch(() => undefined);
  }
}
