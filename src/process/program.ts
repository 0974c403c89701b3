// What a caller says about a program that is to run, and what it hears of it.
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
  /** Largest data segment, bytes; 0 = no limit. */
  readonly memoryBytes: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Everything the program says besides progress, result and error is appended here. */
  readonly logFile: string;
}

export interface ProgramHooks {
  onProgress(progress: ProgramProgress): void;
  /** The program did something since the last call (at most once a second). */
  onAlive(): void;
  onLog(line: string): void;
  /** Ends the program when aborted. */
  readonly signal: AbortSignal;
}
