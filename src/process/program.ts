// What a caller says about a program that is to run, and what it hears of it.
import type { Readable } from 'node:stream';
import type { ProgramProgress } from './program-lines.js';

export interface ProgramSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment besides PATH, HOME, LANG and TMPDIR. */
  readonly env: Readonly<Record<string, string>>;
  /** Fresh working directory; also HOME and TMPDIR. */
  readonly cwd: string;
  readonly timeLimitMs: number;
  /** Longest time without a sign of life (progress, CPU time or I/O of the group). */
  readonly stallLimitMs: number;
  /** Longest time without progress that it tells, although it works: a loop that never ends works, too. */
  readonly progressLimitMs: number;
  /** Largest data segment, bytes; 0 = no limit. */
  readonly memoryBytes: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Everything the program says besides progress, result and error is appended here. */
  readonly logFile: string;
  /** Gives a copy that runs it, which is much faster than a start of the command. */
  readonly warm?: {
    start(program: Pick<ProgramSpec, 'args' | 'cwd' | 'env'>): Promise<Started | undefined>;
  };
}

/** A program at work, however it was started. */
export interface Started {
  /** Also of its group; undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Does not wait for the end of its output. */
  readonly exited: Promise<ProgramExit>;
}

export interface ProgramExit {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Why it could not be started, or is gone without either. */
  readonly problem?: string;
  /** Most memory that it held, bytes, where it was told. */
  readonly peakBytes?: number;
}

export interface ProgramHooks {
  onProgress(progress: ProgramProgress): void;
  /** The program did something since the last call (at most once a second). */
  onAlive(): void;
  onLog(line: string): void;
  /** Ends the program when aborted. */
  readonly signal: AbortSignal;
}
