// Wraps a command so that it dies with its parent and cannot take more memory than it may.
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';

/** Where programs are searched: the system's directories and that of the running Node, nothing of the user's shell. */
export const PROGRAM_PATH = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  dirname(process.execPath),
].join(delimiter);

/** Absolute path of a program, or undefined when there is none that may be run. */
export function findProgram(name: string, path: string = PROGRAM_PATH): string | undefined {
  const candidates = isAbsolute(name)
    ? [name]
    : path.split(delimiter).map((directory) => join(directory, name));
  return candidates.find(isExecutable);
}

export interface Guards {
  /** Sent to the program when the thread that started it ends. */
  readonly deathSignal: 'TERM' | 'KILL';
  /** Largest data segment of the program, bytes; 0 = no limit. */
  readonly dataBytes: number;
}

/** The argv that runs `command` under the guards this machine has (util-linux; elsewhere the command alone). */
export function guarded(command: string, args: readonly string[], guards: Guards): [string, ...string[]] {
  const setpriv = findProgram('setpriv');
  const prlimit = guards.dataBytes > 0 ? findProgram('prlimit') : undefined;
  const death = setpriv === undefined ? [] : [setpriv, '--pdeathsig', guards.deathSignal, '--'];
  const memory = prlimit === undefined ? [] : [prlimit, `--data=${guards.dataBytes}`, '--'];
  const [first = command, ...rest] = [...death, ...memory, command, ...args];
  return [first, ...rest];
}

/**
 * How a program is started: in its own directory, also HOME and TMPDIR; in a group of its own; with an environment that
 * holds nothing of ours but what is named.
 */
export const closedOptions = (cwd: string, env: Readonly<Record<string, string>>) =>
  ({
    cwd,
    env: { PATH: PROGRAM_PATH, LANG: 'C.UTF-8', HOME: cwd, TMPDIR: cwd, ...env },
    extendEnv: false,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    detached: true,
  }) as const;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
