// Runs one of our Python programs for a stage: request file in, result object out, heartbeats from its progress.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { writeJson } from '../../bytes/json-file.js';
import type { Progress } from '../../domain/progress.js';
import type { Stage } from '../../domain/stage.js';
import { runProgram } from '../../process/run-process.js';
import { WarmInterpreter } from '../../process/warm.js';
import type { StageDeps } from './deps.js';
import { startHeart } from './heartbeat.js';

const HOUR = 3_600_000;
const STALL_MS = HOUR / 6;

/** One interpreter, several of our threads: the numeric libraries must not start their own. */
export const PYTHON_ENV = {
  OMP_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  PYTHONDONTWRITEBYTECODE: '1',
} as const;

/** The interpreter that is copied for each of them. @param directory of its own */
export const warmInterpreter = (
  deps: Pick<StageDeps, 'python' | 'converters' | 'converterBytes'>,
  directory: string,
): WarmInterpreter =>
  new WarmInterpreter({
    command: deps.python,
    script: join(deps.converters, 'warm.py'),
    directory,
    env: PYTHON_ENV,
    memoryBytes: deps.converterBytes,
  });

const MIB = 2 ** 20;
/** Larger ones were not faster. */
const LARGEST_SLAB = 32 * MIB;

/** What a converter may hold of its data at a time; with its libraries and copies it takes some ten times that. */
const slabBytes = (memoryBytes: number): number =>
  memoryBytes === 0 ? LARGEST_SLAB : Math.max(MIB, Math.min(LARGEST_SLAB, Math.floor(memoryBytes / 32)));

/** Threads of one converter, so that all that run at once have a core for each. More than eight gain nothing. */
export const threadsOf = (cores: number, slots: number): number =>
  Math.max(1, Math.min(8, Math.floor(cores / slots)));

export interface ProgramCall {
  readonly uuid: string;
  readonly stage: Stage;
  /** Name of the program in the converters' directory, without its ending. */
  readonly program: string;
  /** Working directory; made when absent. */
  readonly work: string;
  readonly request: Readonly<Record<string, unknown>> & {
    readonly limits?: Readonly<Record<string, number>>;
  };
  /** How the program's progress is shown, when it is not that of the whole stage. */
  readonly shown?: (own: Progress) => Progress;
}

/** @throws Fault of the program (see src/process/verdict.ts); the cancellation when the activity is cancelled */
export async function callProgram(deps: StageDeps, call: ProgramCall): Promise<Record<string, unknown>> {
  const { uuid, stage } = call;
  const heart = startHeart(deps.progress, { uuid });
  // Before its first word the program may find that much was done by an earlier attempt: 0 would be a lie.
  let last: Progress | undefined;
  await mkdir(call.work, { recursive: true });
  const request = join(call.work, 'request.json');
  await writeJson(request, {
    ...call.request,
    limits: { slab_bytes: slabBytes(deps.converterBytes), threads: deps.threads, ...call.request.limits },
  });
  const running = runProgram(
    {
      command: deps.python,
      args: [join(deps.converters, `${call.program}.py`), request],
      env: PYTHON_ENV,
      cwd: call.work,
      timeLimitMs: 24 * HOUR,
      stallLimitMs: STALL_MS,
      progressLimitMs: 2 * HOUR,
      memoryBytes: deps.converterBytes,
      graceMs: 5_000,
      logFile: join(deps.logs, uuid, `${stage}.log`),
      ...(deps.warm === undefined ? {} : { warm: deps.warm }),
    },
    {
      onProgress: ({ done, total, note }) => {
        const own = { stage, done, total, unit: 'bytes', ...(note === undefined ? {} : { note }) } as const;
        last = call.shown?.(own) ?? own;
        heart.beat(last);
      },
      onAlive: () => (last === undefined ? heart.alive() : heart.beat(last)),
      onLog: () => undefined,
      signal: Context.current().cancellationSignal,
    },
  );
  // A program in a long fsync shows no sign of life either; the stall limit ends it, not the lack of a heartbeat.
  return await heart.waiting(running, STALL_MS);
}
