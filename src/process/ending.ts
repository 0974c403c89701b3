// Ends a process group for one reason: SIGTERM, then SIGKILL after the grace time.
import type { Readable } from 'node:stream';
import type { FailureCode } from '../domain/failure.js';
import { signalGroup } from './proc.js';

/** Why we ended a program: a limit, or an error that its caller is to see. */
export type EndReason =
  | { readonly kind: 'limit'; readonly code: FailureCode; readonly say: string }
  | { readonly kind: 'error'; readonly error: unknown };

export interface Ending {
  /** The first reason given; undefined when the program ended by itself. */
  readonly reason: EndReason | undefined;
  end(reason: EndReason): void;
  /** After the leader's exit: ends what it left behind and lets go of its pipes. */
  sweep(outputs: { readonly stdout: Readable; readonly stderr: Readable }): void;
}

/** How long a process that left the group may hold the pipes after its parent's exit, ms. */
const PIPE_PATIENCE = 2_000;

/** @param group id of the process group; undefined when the program could not be started */
export function createEnding(group: number | undefined, graceMs: number): Ending {
  let reason: EndReason | undefined;
  let kill: NodeJS.Timeout | undefined;
  const signal = (name: NodeJS.Signals) => group !== undefined && signalGroup(group, name);
  return {
    get reason() {
      return reason;
    },
    end(why) {
      if (reason !== undefined) return;
      reason = why;
      signal('SIGTERM');
      kill = setTimeout(() => signal('SIGKILL'), graceMs);
    },
    sweep({ stdout, stderr }) {
      clearTimeout(kill);
      signal('SIGKILL');
      setTimeout(() => {
        stdout.destroy();
        stderr.destroy();
      }, PIPE_PATIENCE).unref();
    },
  };
}
