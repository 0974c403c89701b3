// Runs a program of the system (rsync, rclone) for an activity: its output as it comes, how it ended, and an end on abort.
import { readdirSync, readlinkSync } from 'node:fs';
import { sep } from 'node:path';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { Fault } from '../domain/fault.js';
import { createEnding, type Ending } from './ending.js';
import { closedOptions, findProgram, guarded } from './guard.js';
import { signalProcess } from './proc.js';

export interface ToolSpec {
  /** A name that is searched, or an absolute path. */
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment besides PATH, HOME, LANG, TZ and TMPDIR. */
  readonly env: Readonly<Record<string, string>>;
  /** Working directory; also HOME and TMPDIR. */
  readonly cwd: string;
  /** Between SIGTERM and SIGKILL, ms; the program keeps its partial files in that time. */
  readonly graceMs: number;
  /** Longest time without output on either stream, ms. */
  readonly stallLimitMs: number;
}

export interface ToolHooks {
  onOutput(bytes: Buffer): void;
  /** Output on standard error; its end also comes with the result. */
  onErrors?(text: string): void;
  readonly signal: AbortSignal;
}

export interface ToolEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** The last 16 KiB of standard error. */
  readonly errors: string;
}

const TAIL = 16 * 1024;

/**
 * Runs it to its end, whatever that is. A program whose parent dies gets SIGTERM.
 * @throws Fault `program_missing`, `program_stalled`; the signal's reason when aborted; what a hook throws
 */
export async function runTool(spec: ToolSpec, hooks: ToolHooks): Promise<ToolEnd> {
  hooks.signal.throwIfAborted();
  const command = findProgram(spec.command);
  if (command === undefined)
    throw new Fault('program_missing', `The program ${spec.command} is not installed.`);
  const child = startTool({ ...spec, command });
  const ending = createEnding(child.pid, spec.graceMs);
  const onAbort = (): void => ending.end({ kind: 'error', error: hooks.signal.reason });
  hooks.signal.addEventListener('abort', onAbort, { once: true });
  const stall = watchStall(spec, ending);
  let errors = '';
  child.once('exit', () => ending.sweep(child));
  try {
    const [exit] = await Promise.all([
      child,
      listen(child.stdout, ending, (bytes) => {
        stall.alive();
        hooks.onOutput(bytes);
      }),
      listen(child.stderr, ending, (bytes) => {
        stall.alive();
        errors = (errors + bytes.toString()).slice(-TAIL);
        hooks.onErrors?.(bytes.toString());
      }),
    ]);
    if (ending.reason?.kind === 'error') throw ending.reason.error;
    if (ending.reason !== undefined) throw new Fault(ending.reason.code, ending.reason.say);
    return { exitCode: exit.exitCode, signal: exit.signal, errors };
  } finally {
    stall.end();
    hooks.signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Ends programs that a dead process left at work in a directory, so that nobody else writes there.
 * @param directory absolute
 */
export async function endProgramsIn(directory: string): Promise<void> {
  const inside = (): number[] => programs().filter((pid) => isBelow(workPlace(pid), directory));
  for (let tries = 0; tries < 100; tries++) {
    const left = inside().filter((pid) => pid !== process.pid);
    if (left.length === 0) return;
    // First the polite way: it lets them keep what they have.
    for (const pid of left) signalProcess(pid, tries < 20 ? 'SIGTERM' : 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function startTool(spec: ToolSpec) {
  const [file, ...args] = guarded(spec.command, spec.args, { deathSignal: 'TERM', dataBytes: 0 });
  return execa(file, args, closedOptions(spec.cwd, { TZ: 'UTC', ...spec.env }));
}

function watchStall({ command, stallLimitMs }: ToolSpec, ending: Ending) {
  const onStall = (): void =>
    ending.end({
      kind: 'limit',
      code: 'program_stalled',
      say: `${command} said nothing for ${Math.round(stallLimitMs / 1000)} s.`,
    });
  const timer = setTimeout(onStall, stallLimitMs);
  return { alive: () => void timer.refresh(), end: () => clearTimeout(timer) };
}

async function listen(stream: Readable, ending: Ending, onBytes: (bytes: Buffer) => void): Promise<void> {
  try {
    for await (const bytes of stream) onBytes(bytes as Buffer);
  } catch (error) {
    ending.end({ kind: 'error', error });
    stream.destroy();
  }
}

function programs(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function workPlace(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

const isBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory + sep);
