// The threads that hash: at most two, so that the main loop stays free for heartbeats. Who reads long gives way to the
// others between two tasks.
import { Worker } from 'node:worker_threads';
import type { HashAnswer, HashTask } from './hash-messages.js';

const THREADS = 2;

/** From the tests' sources as well: a thread needs a file that Node can run. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/src/bytes/hash-thread.js' : './hash-thread.js',
  import.meta.url,
);

/** The state of a reading lies in one thread, from its first task on. */
export interface Home {
  thread: Worker | undefined;
  /** The thread died, and the state with it. */
  lost: boolean;
}

export interface Job {
  readonly task: HashTask;
  readonly home: Home;
  /** It waits for its turn, and one of those at work has advanced. */
  readonly waits: () => void;
  readonly done: (digests: readonly string[]) => void;
  readonly failed: (error: Error) => void;
}

const queue: Job[] = [];
const idle = new Set<Worker>();
const busy = new Map<Worker, Job>();
/** Every thread, with those whose state it keeps. */
const homes = new Map<Worker, Set<Home>>();

export function enqueue(job: Job): void {
  queue.push(job);
  dispatch();
}

function dispatch(): void {
  for (const job of [...queue]) {
    const thread = threadFor(job.home);
    if (thread === undefined || !idle.delete(thread)) continue;
    queue.splice(queue.indexOf(job), 1);
    busy.set(thread, job);
    thread.ref();
    thread.postMessage(job.task);
  }
}

/** Its own; else the one that keeps the fewest states, or a new one before any keeps two. Undefined = wait. */
function threadFor(home: Home): Worker | undefined {
  if (home.thread !== undefined) return home.thread;
  const load = (thread: Worker): number => homes.get(thread)?.size ?? 0;
  const [least] = [...idle].sort((a, b) => load(a) - load(b));
  const isFree = least !== undefined && load(least) === 0;
  const thread = isFree || homes.size === THREADS ? least : startThread();
  if (thread === undefined) return undefined;
  home.thread = thread;
  homes.get(thread)?.add(home);
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
  const thread = new Worker(THREAD, {
    name: 'sluice-hash',
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 },
  });
  thread.on('message', (answer: HashAnswer) => hear(thread, answer));
  thread.on('error', (error) => lost(thread, error));
  thread.on('exit', () => lost(thread, new Error('the hashing thread ended')));
  homes.set(thread, new Set());
  idle.add(thread);
  return thread;
}

/** An idle thread does not keep the process alive. */
function hear(thread: Worker, answer: HashAnswer): void {
  const job = busy.get(thread);
  if (job === undefined) return;
  busy.delete(thread);
  idle.add(thread);
  thread.unref();
  dispatch();
  for (const waiting of [...queue]) waiting.waits();
  if (answer.kind === 'done') job.done(answer.digests);
  else job.failed(Object.assign(new Error(answer.message), { code: answer.code }));
}

function lost(thread: Worker, error: Error): void {
  const job = busy.get(thread);
  busy.delete(thread);
  idle.delete(thread);
  for (const home of homes.get(thread) ?? []) Object.assign(home, { thread: undefined, lost: true });
  homes.delete(thread);
  job?.failed(error);
  dispatch();
}
