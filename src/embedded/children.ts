// The children of one supervisor: kept running, written into run.json, stopped in order.
import type { Daemon } from '../process/daemon.js';
import { type Kept, keepAlive } from './keep-alive.js';
import { type RunRecord, recordOf, removeRun, STOP_ORDER, writeRun } from './run-file.js';

export interface Children {
  /** Starts a child and keeps it running; rejects when its first start fails. */
  add(name: string, start: () => Promise<Daemon>): Promise<void>;
  /** Changes what run.json says about this run. */
  note(change: Partial<RunRecord>): void;
  /** Stops all: API, worker, Temporal, MongoDB, each when the one before is gone. */
  stop(): Promise<void>;
  /** SIGKILL to all. */
  kill(): void;
}

/** @param say hears of children that died and came back */
export function createChildren(
  home: string,
  first: RunRecord,
  graceMs: number,
  say: (text: string) => void,
): Children {
  const kept = new Map<string, Kept>();
  let run = first;
  const note = (change: Partial<RunRecord>): void => {
    run = { ...run, ...change };
    writeRun(home, run);
  };
  note({});
  const started = (daemon: Daemon): void => {
    if (kept.has(daemon.name)) say(`${daemon.name} runs again`);
    note({ children: { ...run.children, [daemon.name]: recordOf(daemon.pid, daemon.commandLine) } });
  };
  const down = (name: string, why: string, pauseMs: number): void =>
    say(`${name} ${why}; starting it again in ${pauseMs / 1000} s`);
  return {
    note,
    async add(name, start) {
      kept.set(name, await keepAlive(name, start, { started, down }));
    },
    async stop() {
      for (const name of STOP_ORDER) await kept.get(name)?.stop(graceMs);
      removeRun(home);
    },
    kill() {
      for (const child of kept.values()) child.kill();
      removeRun(home);
    },
  };
}
