// SHA-256 of files, in at most two threads, so that the main loop stays free for heartbeats.
import { dropQueued, enqueue, type Job } from './hash-pool.js';

/** Digests that servers announce and that can be computed in the same pass. */
export type ExtraDigest = 'md5' | 'sha1' | 'sha512' | PartsDigest;
/** The MD5 of the MD5s of parts of so many bytes, a hyphen, and their number: how stores digest what came in parts. */
export type PartsDigest = `md5-parts-${number}`;

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Bytes read so far; called at most every 64 MiB and at the end. 0: the file still waits for its turn, and one of
   * those at work has advanced.
   */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Digests wanted beside SHA-256. */
  readonly also?: readonly ExtraDigest[];
}

export interface FileHash {
  /** Hex. */
  readonly sha256: string;
  /** Bytes read. */
  readonly size: number;
  /** The digests asked for with `also`, in hex. */
  readonly also: Readonly<Partial<Record<ExtraDigest, string>>>;
}

/**
 * Hashes a file through the page cache.
 * @throws the system's error when it cannot be read; the signal's reason when it is aborted
 */
export async function hashFile(path: string, options: HashOptions = {}): Promise<FileHash> {
  options.signal?.throwIfAborted();
  return await new Promise<FileHash>((resolve, reject) => {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    // The thread works synchronously and hears no messages; it looks at the shared flag between two reads.
    const onAbort = (): void => {
      Atomics.store(stop, 0, 1);
      dropQueued(job);
    };
    const settle = (): void => options.signal?.removeEventListener('abort', onAbort);
    const job: Job = {
      task: { kind: 'whole', path, algorithms: ['sha256', ...(options.also ?? [])], stop },
      progress: (bytes) => options.onProgress?.(bytes),
      done: ({ digests: { sha256 = '', ...also }, size }) => {
        settle();
        resolve({ sha256, size, also });
      },
      failed: (error) => {
        settle();
        reject(options.signal?.aborted === true ? options.signal.reason : error);
      },
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    enqueue(job);
  });
}
