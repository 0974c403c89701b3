// SHA-256 of files, in at most two threads, so that the main loop stays free for heartbeats.
import { Worker } from 'node:worker_threads';
import { HASH_THREAD_CODE, type HashAnswer, type HashTask } from './hash-thread.js';

const THREADS = 2;

/** Digests that servers announce and that can be computed in the same pass. */
export type ExtraDigest = 'md5' | 'sha1' | 'sha512';

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
      task: { path, algorithms: ['sha256', ...(options.also ?? [])], stop },
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
    queue.push(job);
    dispatch();
  });
}

interface Job {
  readonly task: HashTask;
  readonly progress: (bytes: number) => void;
  readonly done: (result: { digests: Record<string, string>; size: number }) => void;
  readonly failed: (error: Error) => void;
}

const queue: Job[] = [];
const idle: Worker[] = [];
const busy = new Map<Worker, Job>();

function dispatch(): void {
  while (queue.length > 0) {
    const thread = idle.pop() ?? (busy.size < THREADS ? startThread() : undefined);
    const job = thread === undefined ? undefined : queue.shift();
    if (thread === undefined || job === undefined) return;
    busy.set(thread, job);
    thread.ref();
    try {
      thread.postMessage(job.task);
    } catch (error) {
      setIdle(thread);
      job.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** What waits for its turn ends at once; what a thread works on ends at its next read. */
function dropQueued(job: Job): void {
  const at = queue.indexOf(job);
  if (at < 0) return;
  queue.splice(at, 1);
  job.failed(new Error('stopped'));
}

function startThread(): Worker {
  const thread = new Worker(HASH_THREAD_CODE, { eval: true, name: 'sluice-hash' });
  thread.on('message', (answer: HashAnswer) => hear(thread, answer));
  thread.on('error', (error) => lost(thread, error));
  thread.on('exit', () => lost(thread, new Error('the hashing thread ended')));
  return thread;
}

function hear(thread: Worker, answer: HashAnswer): void {
  const job = busy.get(thread);
  if (job === undefined) return;
  if (answer.kind === 'progress') {
    job.progress(answer.bytes);
    for (const waiting of [...queue]) waiting.progress(0);
    return;
  }
  setIdle(thread);
  dispatch();
  if (answer.kind === 'done') job.done(answer);
  else job.failed(Object.assign(new Error(answer.message), { code: answer.code }));
}

/** Back to the idle ones; an idle thread does not keep the process alive. */
function setIdle(thread: Worker): void {
  busy.delete(thread);
  idle.push(thread);
  thread.unref();
}

function lost(thread: Worker, error: Error): void {
  const job = busy.get(thread);
  busy.delete(thread);
  const at = idle.indexOf(thread);
  if (at >= 0) idle.splice(at, 1);
  job?.failed(error);
  dispatch();
}
