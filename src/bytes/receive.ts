// Receiving: bytes that a client sends to the API go into the staging area of their job.
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Fault } from '../domain/fault.js';
import { diskFault, isErrno, onDisk } from './disk-fault.js';
import { DigestFollower } from './hash-follow.js';
import { readJson, writeJson } from './json-file.js';
import type { Roots } from './layout.js';
import { dropBytes, type Pace, type PumpOptions, pump, takePaced } from './pump.js';
import { quoteName, safeRelativePath } from './safe-names.js';
import { uploadStaging } from './staging.js';

/** One file of the marker: its path inside the dataset and its bytes. */
export interface ReceivedFile {
  readonly path: string;
  readonly size: number;
  /** Hex; what the file must have, by its client's word or by what was hashed while it came. */
  readonly sha256?: string;
}

/** A file that is being received. */
export interface ReceivingFile {
  /** Its path inside the dataset. */
  readonly path: string;
  /** Where the bytes go; fails with Fault `disk_full` when the disk is full. */
  readonly stream: Writable;
  /** Writes a whole body into it instead, without a stream between. */
  fill(body: Readable, options: Pick<PumpOptions, 'most' | 'idleMs' | 'signal' | 'onWritten'>): Promise<void>;
  /**
   * Ends the stream if that has not happened yet, waits for its last byte, and tells its size in bytes.
   * @throws Fault `checksum_mismatch`
   */
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
  const coming = new Map<string, FileSink>();
  const received: ReceivedFile[] = [];

  return {
    async file(name, { sha256, hash = sha256 !== undefined, pace } = {}) {
      const path = safeRelativePath(name);
      const place = join(staging.files, path);
      const handle = await create(place, name);
      const stream = new FileSink(handle, hash ? new DigestFollower(place, ['sha256']) : undefined, pace);
      coming.set(path, stream);
      const close = async (): Promise<number> => {
        if (!stream.writableEnded) stream.end();
        await finished(stream);
        const digest = await stream.digest();
        if (sha256 !== undefined && digest !== sha256) throw otherDigest(name, digest ?? 'unknown');
        const size = stream.bytesWritten;
        const proof = digest === undefined ? {} : { sha256: digest };
        if (coming.delete(path)) received.push({ path, size, ...proof });
        return size;
      };
      return { path, stream, fill: (body, options) => stream.fill(body, options), close };
    },

    async finish() {
      const [unfinished] = coming.keys();
      if (unfinished !== undefined) {
        throw new Fault('upload_interrupted', `The transfer of ${quoteName(unfinished)} did not end.`);
      }
      return await markReceived(roots, jobId, received);
    },

    async abort() {
      await Promise.all([...coming.values()].map(destroyed));
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

async function destroyed(stream: FileSink): Promise<void> {
  stream.follower?.drop();
  if (stream.closed) return;
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.on('error', () => undefined);
  stream.destroy();
  await closed;
}

/** Writes a file from its beginning; chunks that wait are written with one system call. */
class FileSink extends Writable {
  bytesWritten = 0;
  readonly follower: DigestFollower | undefined;
  private readonly handle: FileHandle;
  private readonly pace: Pace;

  constructor(handle: FileHandle, follower: DigestFollower | undefined, pace: Pace = () => undefined) {
    super({ highWaterMark: 1024 * 1024, decodeStrings: true });
    this.handle = handle;
    this.follower = follower;
    this.pace = pace;
  }

  async fill(
    body: Readable,
    { onWritten, ...options }: Pick<PumpOptions, 'most' | 'idleMs' | 'signal' | 'onWritten'>,
  ): Promise<void> {
    const at = this.bytesWritten;
    const { failure } = await pump(body, {
      ...options,
      file: this.handle,
      at,
      pace: this.pace,
      onWritten: (bytes) => {
        this.bytesWritten = at + bytes;
        this.follower?.advance(this.bytesWritten);
        onWritten?.(bytes);
      },
    });
    if (failure !== undefined) throw failure;
  }

  /** Hex; nothing when it is not hashed. */
  async digest(): Promise<string | undefined> {
    return (await this.follower?.finish(this.bytesWritten))?.[0];
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    settle(this.append([chunk]), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    settle(this.append(chunks.map(({ chunk }) => chunk)), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.handle.close().then(
      () => done(error),
      (closing: Error) => done(error ?? closing),
    );
  }

  private async append(chunks: readonly Buffer[]): Promise<void> {
    const waiting = chunks.filter((chunk) => chunk.length > 0);
    while (waiting.length > 0) {
      let rest = await takePaced(waiting, this.pace);
      while (rest.length > 0) {
        const { bytesWritten } = await this.handle.writev(rest);
        this.bytesWritten += bytesWritten;
        this.follower?.advance(this.bytesWritten);
        rest = dropBytes(rest, bytesWritten);
      }
    }
  }
}

function settle(work: Promise<void>, done: (error?: Error | null) => void): void {
  work.then(
    () => done(),
    (error: unknown) => done(diskFault(error) as Error),
  );
}
