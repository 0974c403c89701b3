// Long-lived children: servers and our own processes, each in its own group, with a log file.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../domain/fault.js';
import { guarded, PROGRAM_PATH } from './guard.js';
import { signalGroup, signalProcess, startTimeOf } from './proc.js';

export interface DaemonSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment besides PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard output and error are appended here. */
  readonly logFile: string;
}

export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

export interface Daemon {
  readonly name: string;
  /** As the system shows it once the guards have handed over. */
  readonly commandLine: string;
  readonly pid: number;
  /** Clock ticks since boot; with the pid it names the process for ever. Undefined without /proc. */
  readonly startTime: number | undefined;
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  /** Whether it has ended. */
  readonly ended: boolean;
  /** SIGTERM to the leader, SIGKILL to its group after the grace time; resolves when it is gone. */
  stop(graceMs: number): Promise<Exit>;
  /** SIGKILL to the whole group, now. */
  kill(): void;
}

/**
 * Starts a child that gets SIGTERM when this process dies, however it dies.
 * @throws Fault `server_not_ready` when it cannot be started at all
 */
export function startDaemon(spec: DaemonSpec): Daemon {
  const [file, ...args] = guarded(spec.command, spec.args, { deathSignal: 'TERM', dataBytes: 0 });
  const log = openLog(spec.logFile);
  const child = spawn(file, args, {
    env: { PATH: PROGRAM_PATH, ...spec.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  const exiting = exitOf(child);
  closeSync(log);
  const { pid } = child;
  if (pid === undefined)
    throw new Fault('server_not_ready', `${spec.name} could not be started (${spec.command}).`);
  let ended = false;
  const exited = exiting.then((exit) => {
    ended = true;
    return exit;
  });
  return {
    name: spec.name,
    commandLine: [spec.command, ...spec.args].join(' '),
    pid,
    startTime: startTimeOf(pid),
    logFile: spec.logFile,
    exited,
    get ended() {
      return ended;
    },
    stop: (graceMs) => stopChild(pid, exited, graceMs, () => ended),
    kill: () => void signalGroup(pid, 'SIGKILL'),
  };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: undefined, signal: undefined }));
    child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
  });
}

async function stopChild(
  pid: number,
  exited: Promise<Exit>,
  graceMs: number,
  ended: () => boolean,
): Promise<Exit> {
  if (ended()) return exited;
  // To the leader alone: a second signal by way of the group would make a worker give up its clean stop.
  signalProcess(pid, 'SIGTERM');
  const kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
  try {
    return await exited;
  } finally {
    clearTimeout(kill);
    signalGroup(pid, 'SIGKILL');
  }
}

const LARGEST_LOG = 10_000_000;

/** Appends to the log; one that has grown large is put aside first. */
function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LARGEST_LOG) renameSync(path, `${path}.1`);
  return openSync(path, 'a');
}
