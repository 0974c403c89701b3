// What activities are made from: ports, never globals.
import type { Roots } from '../../bytes/layout.js';
import type { WarmInterpreter } from '../../process/warm.js';
import type { ProgressSink } from './heartbeat.js';
import type { Turns } from './turns.js';

/** Shared by the stages that work on a dataset's files. */
export interface StageDeps {
  readonly roots: Roots;
  readonly progress: ProgressSink;
  /** Interpreter of the converters' environment, and the directory their programs lie in. Absolute. */
  readonly python: string;
  readonly converters: string;
  /** Runs them faster; left out: each is started by itself. */
  readonly warm?: Pick<WarmInterpreter, 'start'>;
  /** Logs of programs, one directory a dataset. Absolute. */
  readonly logs: string;
  /** Memory of one converter, bytes; 0 = no limit. */
  readonly converterBytes: number;
  /** Threads that one converter may use. */
  readonly threads: number;
  /** How many datasets of an owner are worked on at once; left out: any number. */
  readonly turns?: Pick<Turns, 'take'>;
}
