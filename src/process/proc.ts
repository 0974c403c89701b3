// What the system tells about processes (/proc); where there is none, the answers are undefined.
import { readdirSync, readFileSync } from 'node:fs';

/** Work that the processes of a group have done so far; it only means something as a difference. */
export interface GroupUsage {
  readonly cpuTicks: number;
  readonly ioBytes: number;
}

/** When the process started, in clock ticks since boot: with the pid it names one process for ever. */
export function startTimeOf(pid: number): number | undefined {
  const fields = statOf(String(pid));
  return fields === undefined || fields[STATE] === 'Z' ? undefined : Number(fields[START_TIME]);
}

/** The process' argv joined by blanks, as far as it may be read. */
export function commandOf(pid: number): string | undefined {
  return read(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
}

/** CPU time and I/O of all living processes of the group. */
export function usageOfGroup(group: number): GroupUsage | undefined {
  let cpuTicks = 0;
  let ioBytes = 0;
  let members = 0;
  for (const pid of processes()) {
    const fields = statOf(pid);
    if (fields === undefined || Number(fields[GROUP]) !== group) continue;
    members += 1;
    cpuTicks += Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
    ioBytes += ioOf(pid);
  }
  return members === 0 ? undefined : { cpuTicks, ioBytes };
}

/** Sends a signal to every process of the group; false when there is none left. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/** Sends a signal to one process; false when it has ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

// Places in /proc/<pid>/stat, counted after the command's closing bracket (proc(5) counts from 1, the state is 3).
const STATE = 0;
const GROUP = 2;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
const START_TIME = 19;

function statOf(pid: string): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  // The command may itself hold blanks and brackets, so only what follows the last bracket is divided.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function ioOf(pid: string): number {
  const text = read(`/proc/${pid}/io`) ?? '';
  return [...text.matchAll(/^[rw]char: (\d+)$/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
