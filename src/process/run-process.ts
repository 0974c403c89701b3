// Runs a processing program for an activity: progress, log, limits, and an end of the whole process group.
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { Fault } from '../domain/fault.js';
import { createEnding, type Ending } from './ending.js';
import { closedOptions, findProgram, guarded } from './guard.js';
import type { ProgramExit, ProgramHooks, ProgramSpec, Started } from './program.js';
import { createLineSplitter, parseProgramLine } from './program-lines.js';
import { type Ended, programFault, verdict } from './verdict.js';
import { watchProgram } from './watch.js';

export type { ProgramHooks, ProgramSpec } from './program.js';

/**
 * Runs a program to its end.
 * @returns the object of its `result` line
 * @throws Fault (see verdict), `program_missing`, `program_stalled`, `program_timeout`; the signal's reason when aborted
 */
export async function runProgram(spec: ProgramSpec, hooks: ProgramHooks): Promise<Record<string, unknown>> {
  hooks.signal.throwIfAborted();
  const command = findProgram(spec.command);
  if (command === undefined)
    throw new Fault('program_missing', `The program ${spec.command} is not installed.`);
  await mkdir(dirname(spec.logFile), { recursive: true });
  const log = await open(spec.logFile, 'a');
  try {
    return await superviseProgram({ ...spec, command }, hooks, (text) => log.appendFile(text));
  } finally {
    await log.close();
  }
}

async function superviseProgram(
  spec: ProgramSpec,
  hooks: ProgramHooks,
  writeLog: (text: string) => Promise<void>,
): Promise<Record<string, unknown>> {
  const program = (await spec.warm?.start(spec)) ?? startProgram(spec);
  const said = createListener(hooks, writeLog);
  const ending = createEnding(program.pid, spec.graceMs);
  const stopWatching = watchProgram(spec, program.pid, said, hooks, ending);
  void program.exited.then(() => ending.sweep(program));
  const [exit] = await Promise.all([
    program.exited,
    listen(program.stdout, said.onOutput, ending),
    listen(program.stderr, said.onErrors, ending),
  ]);
  stopWatching();
  if (exit.exitCode === undefined && exit.signal === undefined) {
    throw new Fault('program_failed', `The program ${spec.command} could not be started: ${exit.problem}`);
  }
  const ended: Ended = {
    command: spec.command,
    exitCode: exit.exitCode,
    signal: exit.signal,
    logFile: spec.logFile,
    ...said.heard(),
  };
  if (ending.reason === undefined) return verdict(ended);
  throw ending.reason.kind === 'limit'
    ? programFault(ending.reason.code, ended, ending.reason.say)
    : ending.reason.error;
}

function startProgram(spec: ProgramSpec): Started {
  const guards = { deathSignal: 'KILL', dataBytes: spec.memoryBytes } as const;
  const [file, ...args] = guarded(spec.command, spec.args, guards);
  const child = execa(file, args, closedOptions(spec.cwd, spec.env));
  const exited = new Promise<ProgramExit>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve({ exitCode: code ?? undefined, signal: signal ?? undefined }),
    );
    // One that never started has no exit; the promise of the others waits for their output too.
    void child.then(({ exitCode, signal, shortMessage }) =>
      resolve({ exitCode, signal, ...(shortMessage === undefined ? {} : { problem: shortMessage }) }),
    );
  });
  return { pid: child.pid, stdout: child.stdout, stderr: child.stderr, exited };
}

/** Bytes of log that go with a failure. */
const TAIL = 64 * 1024;

/** Takes the program's output apart and remembers what its verdict needs. */
function createListener(hooks: ProgramHooks, writeLog: (text: string) => Promise<void>) {
  let result: Record<string, unknown> | undefined;
  let error: Ended['error'];
  let tail = '';
  let pending = '';
  let progressAt = -1;
  const state = { advances: 0 };
  const onLogLine = (line: string): void => {
    pending += `${line}\n`;
    hooks.onLog(line);
  };
  const onStdoutLine = (line: string): void => {
    const message = parseProgramLine(line);
    if (message.kind === 'log') onLogLine(line);
    else if (message.kind === 'result') result = message.result;
    else if (message.kind === 'error') error = { code: message.code, say: message.say };
    else {
      if (message.progress.done !== progressAt) state.advances += 1;
      progressAt = message.progress.done;
      hooks.onProgress(message.progress);
    }
  };
  const stdout = createLineSplitter(onStdoutLine);
  const stderr = createLineSplitter(onLogLine);
  const through = (lines: typeof stdout) => async (text: string | undefined) => {
    if (text === undefined) lines.end();
    else lines.push(text);
    const written = pending;
    pending = '';
    tail = (tail + written).slice(-TAIL);
    await writeLog(written);
  };
  return {
    state,
    onOutput: through(stdout),
    onErrors: through(stderr),
    heard: () => ({ result, error, tail }),
  };
}

/** Feeds a stream, piece by piece and then `undefined`; a listener that fails ends the program. */
async function listen(
  stream: Readable,
  onText: (text: string | undefined) => Promise<void>,
  ending: Ending,
): Promise<void> {
  stream.setEncoding('utf8');
  try {
    for await (const text of stream) await onText(text as string);
    await onText(undefined);
  } catch (error) {
    ending.end({ kind: 'error', error });
    stream.destroy();
  }
}
