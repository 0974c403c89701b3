// Programs in copies of a warm interpreter: each is a process of its own, and dies with those it should die with.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Fault } from '../../src/domain/fault.js';
import { startTimeOf } from '../../src/process/proc.js';
import type { ProgramProgress } from '../../src/process/program-lines.js';
import { type ProgramSpec, runProgram } from '../../src/process/run-process.js';
import { WarmInterpreter } from '../../src/process/warm.js';
import { until } from '../support/stack.js';

const MIB = 2 ** 20;
const PYTHON = process.env['SLUICE_PYTHON'] ?? 'python3';
const BEHAVE = join(process.cwd(), 'test/fixtures/programs/behave.py');
const directory = (): string => mkdtempSync(join(tmpdir(), 'sluice-warm-'));

const made = (memoryBytes = 0): WarmInterpreter =>
  new WarmInterpreter({
    command: PYTHON,
    script: join(process.cwd(), 'converters/warm.py'),
    directory: directory(),
    env: { PYTHONDONTWRITEBYTECODE: '1', OPENBLAS_NUM_THREADS: '1' },
    memoryBytes,
  });

const warm = made();
beforeAll(async () => await warm.ready());
afterAll(async () => await warm.stop());

function specFor(behaviour: string, changes: Partial<ProgramSpec> = {}): ProgramSpec {
  const cwd = directory();
  return {
    command: PYTHON,
    args: [BEHAVE, behaviour],
    env: { GIVEN: 'yes' },
    cwd,
    timeLimitMs: 20_000,
    stallLimitMs: 10_000,
    progressLimitMs: 60_000,
    memoryBytes: 0,
    graceMs: 5_000,
    logFile: join(cwd, 'logs', 'program.log'),
    warm,
    ...changes,
  };
}

interface Watch {
  readonly signal?: AbortSignal;
  onProgress?(progress: ProgramProgress): void;
}

const run = (spec: ProgramSpec, { signal = new AbortController().signal, onProgress }: Watch = {}) =>
  runProgram(spec, {
    signal,
    onProgress: onProgress ?? (() => undefined),
    onLog: () => undefined,
    onAlive: () => undefined,
  });

async function faultOf(spec: ProgramSpec): Promise<Fault> {
  const error: unknown = await run(spec).catch((caught: unknown) => caught);
  if (error instanceof Fault) return error;
  throw new Error(`not a fault: ${String(error)}`);
}

test('a run is a process of its own: environment, directory, group, and nothing of the others', async () => {
  const spec = specFor('facts', { args: [BEHAVE, 'facts', 'more'] });
  const found = await run(spec);
  expect(found).toMatchObject({
    cwd: spec.cwd,
    argv: ['facts', 'more'],
    group: true,
    loaded: true,
    input: '',
  });
  expect(Object.keys(found['env'] as object).toSorted()).toEqual(['GIVEN', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
  expect(found['env']).toMatchObject({ HOME: spec.cwd, TMPDIR: spec.cwd, GIVEN: 'yes' });
  // Python reads the directory of its own descriptors and its script; no pipe of the interpreter is among them.
  expect((found['open'] as string[]).filter((link) => /pipe|socket|eventpoll/.test(link))).toEqual([]);
  expect(readFileSync(spec.logFile, 'utf8')).toBe('a warning\n');
});

test('exit codes, crashes and signals are told as of any program', async () => {
  expect(await faultOf(specFor('content'))).toMatchObject({
    code: 'not_tiff',
    message: 'a.tif is not a TIFF',
  });
  const crashed = await faultOf(specFor('crash'));
  expect(crashed).toMatchObject({ code: 'program_failed', facts: { exitCode: 1 } });
  expect(crashed.facts['tail']).toContain('ValueError: the last words');
  expect(await faultOf(specFor('killed'))).toMatchObject({
    code: 'program_failed',
    facts: { signal: 'SIGSEGV' },
  });
});

test('eight at once do not hear each other, however much they say', async () => {
  const specs = Array.from({ length: 8 }, () => specFor('flood'));
  const results = await Promise.all(specs.map((spec) => run(spec)));
  expect(results).toEqual(specs.map(() => ({ lines: 50_000 })));
  for (const { logFile } of specs)
    expect(readFileSync(logFile, 'utf8')).toBe(`${'ä'.repeat(79)}\n`.repeat(50_000));
}, 60_000);

test('an abort and a limit end the whole group of a run, and nothing else', async () => {
  const controller = new AbortController();
  const spec = specFor('family');
  const other = run(specFor('forever', { timeLimitMs: 3_000 })).catch((error: unknown) => error);
  const aborted = run(spec, {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('paused')),
  });
  await expect(aborted).rejects.toThrow('paused');
  const grandchild = Number(readFileSync(join(spec.cwd, 'grandchild'), 'utf8'));
  await until('it is gone', async () => startTimeOf(grandchild) === undefined);
  expect(await other).toMatchObject({ code: 'program_timeout' });
  expect(await run(specFor('facts'))).toMatchObject({ loaded: true });
});

test('a run may not take more memory than it is allowed', async () => {
  const limited = made(400 * MIB);
  await limited.ready();
  const taking = (bytes: number) => specFor('', { args: [BEHAVE, 'memory', String(bytes)], warm: limited });
  expect((await faultOf(taking(450 * MIB))).code).toBe('program_memory');
  await expect(run(taking(200 * MIB))).resolves.toEqual({ bytes: 200 * MIB });
  await limited.stop();
});

test('when the interpreter dies, its runs end and may be tried again; the next are started in the plain way', async () => {
  const mortal = made();
  await mortal.ready();
  const spec = specFor('family', { warm: mortal });
  const running = faultOf(spec);
  await until('it runs', async () => existsSync(join(spec.cwd, 'grandchild')));
  const { parent } = await run(specFor('facts', { warm: mortal }));
  process.kill(Number(parent), 'SIGKILL');
  const fault = await running;
  expect(fault).toMatchObject({ code: 'program_failed', facts: { signal: 'SIGKILL' } });
  expect(fault.row.retryable).toBe(true);
  const grandchild = Number(readFileSync(join(spec.cwd, 'grandchild'), 'utf8'));
  await until('it is gone', async () => startTimeOf(grandchild) === undefined);
  expect(await run(specFor('facts', { warm: mortal }))).toMatchObject({ loaded: false });
  await mortal.ready();
  expect(await run(specFor('facts', { warm: mortal }))).toMatchObject({ loaded: true });
  await mortal.stop();
});

test('one that cannot load is not tried again, and nobody fails for it', async () => {
  const broken = new WarmInterpreter({
    command: PYTHON,
    script: BEHAVE,
    directory: directory(),
    env: {},
    memoryBytes: 0,
  });
  await expect(broken.ready()).rejects.toThrow('the warm interpreter ended');
  expect(await run(specFor('facts', { warm: broken }))).toMatchObject({ loaded: false });
  expect(await broken.start(specFor('facts'))).toBeUndefined();
});
