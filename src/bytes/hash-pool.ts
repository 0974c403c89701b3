// The threads that hash: at most two, so that the main loop stays free for heartbeats.
import { Worker } from 'node:worker_threads';
import { HASH_THREAD_CODE, type HashAnswer, type HashTask } from './hash-thread.js';

const THREADS = 2;

/** The state of a hash that goes on from task to task lies in one thread. */
export interface Home {
  thread: Worker | undefined;
  /** The thread died, and the state with it. */
  lost: boolean;
}

export interface Job {
  readonly task: HashTask;
  readonly home?: Home;
  readonly progress: (bytes: number) => void;
  readonly done: (result: { digests: Record<string, string>; size: number }) => void;
  readonly failed: (error: Error) => void;
}

const queue: Job[] = [];
const idle: Worker[] = [];
const busy = new Map<Worker, Job>();
const homes = new Map<Worker, Set<Home>>();

export function enqueue(job: Job): void {
  queue.push(job);
  dispatch();
}

function dispatch(): void {
  for (const job of [...queue]) {
    const thread = threadFor(job);
    if (thread === undefined) continue;
    queue.splice(queue.indexOf(job), 1);
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

function threadFor({ home }: Job): Worker | undefined {
  if (home?.thread !== undefined) {
    const at = idle.indexOf(home.thread);
    return at < 0 ? undefined : idle.splice(at, 1)[0];
  }
  const thread = idle.pop() ?? (busy.size < THREADS ? startThread() : undefined);
  if (home === undefined || thread === undefined) return thread;
  home.thread = thread;
  homes.set(thread, (homes.get(thread) ?? new Set()).add(home));
  return thread;
}

/** Nothing more will be asked of the state. */
export function leaveHome(home: Home): void {
  if (home.thread !== undefined) homes.get(home.thread)?.delete(home);
}

/** What waits for its turn ends at once; what a thread works on ends at its next read. */
export function dropQueued(job: Job): void {
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
  for (const home of homes.get(thread) ?? []) Object.assign(home, { thread: undefined, lost: true });
  homes.delete(thread);
  job?.failed(error);
  dispatch();
}
