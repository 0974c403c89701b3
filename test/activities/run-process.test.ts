// The runner of processing programs, on real programs: one test for each way to end.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Fault } from '../../src/domain/fault.js';
import { findProgram } from '../../src/process/guard.js';
import { startTimeOf } from '../../src/process/proc.js';
import { type ProgramSpec, runProgram } from '../../src/process/run-process.js';
import { until } from '../support/stack.js';

const FIXTURES = join(process.cwd(), 'test/fixtures/programs');

function specFor(behaviour: string, changes: Partial<ProgramSpec> = {}): ProgramSpec {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-run-'));
  return {
    command: process.execPath,
    args: [join(FIXTURES, 'behave.mjs'), behaviour],
    env: {},
    cwd,
    timeLimitMs: 20_000,
    stallLimitMs: 10_000,
    progressLimitMs: 20_000,
    memoryBytes: 0,
    graceMs: 5_000,
    logFile: join(cwd, 'logs', 'program.log'),
    ...changes,
  };
}

function watchAll(signal = new AbortController().signal) {
  const seen = { progress: [] as unknown[], log: [] as string[], alive: 0 };
  return {
    seen,
    hooks: {
      signal,
      onProgress: (progress: unknown) => void seen.progress.push(progress),
      onLog: (line: string) => void seen.log.push(line),
      onAlive: () => {
        seen.alive += 1;
      },
    },
  };
}

async function faultOf(spec: ProgramSpec): Promise<Fault> {
  const error: unknown = await runProgram(spec, watchAll().hooks).catch((caught: unknown) => caught);
  if (error instanceof Fault) return error;
  throw new Error(`not a fault: ${String(error)}`);
}

/** Aborts at the program's first progress line, and says how the run ended. */
async function abortAtFirstProgress(spec: ProgramSpec): Promise<{ error: unknown; ms: number }> {
  const controller = new AbortController();
  const { hooks } = watchAll(controller.signal);
  let abortedAt = 0;
  const onProgress = (): void => {
    abortedAt = performance.now();
    controller.abort(new Error('paused'));
  };
  const error: unknown = await runProgram(spec, { ...hooks, onProgress }).catch((caught: unknown) => caught);
  return { error, ms: performance.now() - abortedAt };
}

test('a good program: progress, log and result each go their way', async () => {
  const spec = specFor('good');
  const { seen, hooks } = watchAll();
  await expect(runProgram(spec, hooks)).resolves.toEqual({ files: 3 });
  expect(seen.progress).toEqual([
    { done: 1, total: 2, unit: 'slices', note: 'first' },
    { done: 2, total: 2, unit: 'slices' },
  ]);
  expect(seen.log.toSorted()).toEqual(['a warning', 'reading']);
  expect(readFileSync(spec.logFile, 'utf8').trim().split('\n').toSorted()).toEqual(['a warning', 'reading']);
});

test('the environment is closed', async () => {
  process.env.SLUICE_TEST_LEAK = 'secret';
  const spec = specFor('environment', { env: { GIVEN: 'yes' } });
  const { env, cwd } = (await runProgram(spec, watchAll().hooks)) as { env: object; cwd: string };
  expect(Object.keys(env).toSorted()).toEqual(['GIVEN', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
  expect(env).toMatchObject({ HOME: spec.cwd, TMPDIR: spec.cwd, GIVEN: 'yes' });
  expect(cwd).toBe(spec.cwd);
});

test('exit 65 with a code of the table is that content failure', async () => {
  const fault = await faultOf(specFor('content'));
  expect(fault).toMatchObject({ code: 'not_tiff', message: 'a.tif is not a TIFF' });
  expect(fault.row.retryable).toBe(false);
});

test('exit 65 with another code is bad_content with the code in the text', async () => {
  const fault = await faultOf(specFor('unknownContent'));
  expect(fault).toMatchObject({ code: 'bad_content', message: 'the colours are odd (odd_colours)' });
});

test('exit 65 is never tried again, whatever the program says', async () => {
  const fault = await faultOf(specFor('systemAsContent'));
  expect(fault).toMatchObject({ code: 'bad_content', message: 'no space (disk_full)' });
});

test('exit 75 with a code of the table is that failure, to be tried again', async () => {
  const fault = await faultOf(specFor('diskFull'));
  expect(fault).toMatchObject({ code: 'disk_full', message: 'no space on the scratch disk' });
  expect(fault.row.retryable).toBe(true);
});

test('exit 75 with another code is program_failed, to be tried again', async () => {
  const fault = await faultOf(specFor('tryAgain'));
  expect(fault).toMatchObject({ code: 'program_failed', message: 'no licence is free (licence_busy)' });
  expect(fault.row.retryable).toBe(true);
});

test('a crash is program_failed with the last 64 KiB of the log', async () => {
  const fault = await faultOf(specFor('crash'));
  expect(fault.code).toBe('program_failed');
  expect(fault.facts.exitCode).toBe(1);
  const tail = String(fault.facts.tail);
  expect(tail).toContain('the last words');
  expect(tail).toHaveLength(64 * 1024);
});

test('a signal is program_failed and named', async () => {
  const fault = await faultOf(specFor('killed'));
  expect(fault).toMatchObject({ code: 'program_failed', facts: { signal: 'SIGSEGV' } });
  expect(fault.message).toContain('SIGSEGV');
});

test('exit 0 without a result is program_failed', async () => {
  const fault = await faultOf(specFor('silent'));
  expect(fault.code).toBe('program_failed');
  expect(fault.message).toContain('without a result');
});

test('an abort between the call and the start of the program is heard', async () => {
  const controller = new AbortController();
  const run = runProgram(specFor('stall', { stallLimitMs: 4_000 }), watchAll(controller.signal).hooks);
  controller.abort(new Error('paused'));
  await expect(run).rejects.toThrow('paused');
});

test('a program that is not there is program_missing', async () => {
  expect((await faultOf(specFor('good', { command: 'no-such-program' }))).code).toBe('program_missing');
});

test('more memory than allowed is program_memory, enough memory is a result', async () => {
  const python = findProgram(process.env.SLUICE_PYTHON ?? 'python3', process.env.PATH);
  if (python === undefined) throw new Error('these tests need Python (SLUICE_PYTHON)');
  const args = [join(FIXTURES, 'take-memory.py'), String(300 * 2 ** 20)];
  const limited = await faultOf(specFor('', { command: python, args, memoryBytes: 200 * 2 ** 20 }));
  expect(limited.code).toBe('program_memory');
  const spec = specFor('', { command: python, args, memoryBytes: 600 * 2 ** 20 });
  await expect(runProgram(spec, watchAll().hooks)).resolves.toEqual({ bytes: 300 * 2 ** 20 });
});

test('no sign of life for the stall limit is program_stalled', async () => {
  const fault = await faultOf(specFor('stall', { stallLimitMs: 800 }));
  expect(fault.code).toBe('program_stalled');
});

test('a silent program that computes is alive', async () => {
  const { seen, hooks } = watchAll();
  await expect(runProgram(specFor('busy', { stallLimitMs: 800 }), hooks)).resolves.toEqual({});
  expect(seen.alive).toBeGreaterThan(3);
});

test('one that computes and never tells progress ends at the limit of progress', async () => {
  const fault = await faultOf(specFor('busy', { progressLimitMs: 800 }));
  expect([fault.code, fault.message]).toEqual([
    'program_stalled',
    expect.stringMatching(/worked for 1 s without any progress/),
  ]);
});

test('the time limit ends a program', async () => {
  const fault = await faultOf(specFor('stall', { timeLimitMs: 300 }));
  expect(fault.code).toBe('program_timeout');
});

test('abort: SIGTERM first, and the reason comes back', async () => {
  const spec = specFor('polite');
  const { error, ms } = await abortAtFirstProgress(spec);
  expect(error).toEqual(new Error('paused'));
  expect(existsSync(join(spec.cwd, 'ended-politely'))).toBe(true);
  expect(ms).toBeLessThan(1_500);
});

test('abort: SIGKILL after the grace time', async () => {
  const { error, ms } = await abortAtFirstProgress(specFor('stubborn', { graceMs: 400 }));
  expect(error).toEqual(new Error('paused'));
  expect(ms).toBeGreaterThanOrEqual(390);
  expect(ms).toBeLessThan(2_500);
});

test('abort before the start starts nothing', async () => {
  const spec = specFor('good');
  await expect(runProgram(spec, watchAll(AbortSignal.abort(new Error('gone'))).hooks)).rejects.toThrow(
    'gone',
  );
  expect(existsSync(spec.logFile)).toBe(false);
});

test.each(['family', 'orphan'])('the whole process group ends (%s)', async (behaviour) => {
  const spec = specFor(behaviour);
  if (behaviour === 'family') await abortAtFirstProgress(spec);
  else await runProgram(spec, watchAll().hooks);
  const grandchild = Number(readFileSync(join(spec.cwd, 'grandchild'), 'utf8'));
  // What is killed closes its pipes a moment before it is gone.
  await until('it is gone', async () => startTimeOf(grandchild) === undefined);
});

test('a hook that throws ends the program and comes back', async () => {
  const { hooks } = watchAll();
  const onProgress = (): void => {
    throw new Error('cannot heartbeat');
  };
  await expect(runProgram(specFor('polite'), { ...hooks, onProgress })).rejects.toThrow('cannot heartbeat');
});
