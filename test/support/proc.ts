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

/** Every program whose working directory is, or lies below, `directory`, by its pid. */
export const programsIn = (directory: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => `${workPlace(pid)}/`.startsWith(`${directory}/`))
    .map(Number);

/** Sends a signal to each of them; returns how many. */
export function signalProgramsIn(directory: string, signal: NodeJS.Signals): number {
  const inside = programsIn(directory);
  for (const pid of inside) process.kill(pid, signal);
  return inside.length;
}
