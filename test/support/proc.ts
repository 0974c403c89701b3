// What the system tells about running programs.
import { readdirSync, readlinkSync } from 'node:fs';

/** Working directory of a process; empty when it has ended. */
function workPlace(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** Sends a signal to every program whose working directory is, or lies below, `directory`; returns how many. */
export function signalProgramsIn(directory: string, signal: NodeJS.Signals): number {
  const inside = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => `${workPlace(pid)}/`.startsWith(`${directory}/`));
  for (const pid of inside) process.kill(Number(pid), signal);
  return inside.length;
}
