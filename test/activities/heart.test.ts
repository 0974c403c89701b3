// Work that is long and silent must not look dead: a large file of a product, a program that waits for its disk.
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { hashProduct } from '../../src/activities/publish/manifest.js';
import { startHeart } from '../../src/activities/support/heartbeat.js';
import { callProgram, threadsOf } from '../../src/activities/support/programs.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-333333333333';
const progress = { report: () => undefined };
let dir: string;
let env: MockActivityEnvironment;
let beats: { at: number; details: unknown }[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-heart-'));
  env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  beats = [];
  env.on('heartbeat', (details: unknown) => beats.push({ at: performance.now(), details }));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('a large file of a product is heard of while it is hashed', async () => {
  await writeFile(join(dir, 'big'), '');
  await truncate(join(dir, 'big'), 200 * 1024 * 1024);
  const files = await env.run(async () => await hashProduct(dir, startHeart(progress, { uuid: UUID }, 0)));
  const hashing = { stage: 'publish', done: 0, total: 1, unit: 'files', note: 'big' };
  expect(beats.map(({ details }) => details)).toEqual([
    ...Array.from({ length: 4 }, () => hashing),
    { ...hashing, done: 1 },
  ]);
  expect(files).toEqual([expect.objectContaining({ path: 'big', size: 200 * 1024 * 1024 })]);
});

test.each([
  [0, 32 * 2 ** 20],
  [4 * 2 ** 30, 32 * 2 ** 20],
  [256 * 2 ** 20, 8 * 2 ** 20],
])('a converter that may take %p bytes is held to them, and told slabs of %p', async (memory, slab) => {
  await mkdir(join(dir, 'programs'));
  const asked = 'json.load(open(sys.argv[1]))["limits"]';
  const held = 'resource.getrlimit(resource.RLIMIT_DATA)[0]';
  await writeFile(
    join(dir, 'programs/tell.py'),
    `import json, resource, sys\nprint(json.dumps({"result": {"asked": ${asked}, "held": ${held}}}))\n`,
  );
  const python = process.env['SLUICE_PYTHON'] ?? 'SLUICE_PYTHON is not set: tests start with "npm test"';
  const roots = { in: dir, out: dir };
  const converters = join(dir, 'programs');
  const deps = { roots, progress, python, converters, logs: dir, converterBytes: memory, threads: 3 };
  const call = {
    uuid: UUID,
    stage: 'convert',
    program: 'tell',
    work: join(dir, 'work'),
    request: {},
  } as const;
  const told = await env.run(async () => await callProgram(deps, call));
  expect(told).toMatchObject({ asked: { slab_bytes: slab, threads: 3 } });
  if (memory > 0) expect(told).toMatchObject({ held: memory });
});

test('all converters that run at once have a core for each thread', () => {
  const found = [
    [2, 1],
    [2, 4],
    [64, 32],
    [64, 2],
  ].map(([cores = 0, slots = 0]) => threadsOf(cores, slots));
  expect(found).toEqual([2, 1, 2, 8]);
});

test('a program that only waits keeps its activity alive', async () => {
  await mkdir(join(dir, 'programs'));
  await writeFile(join(dir, 'programs/wait.py'), `sleep 6; echo '{"result":{"ok":1}}'`);
  const deps = {
    roots: { in: dir, out: dir },
    progress,
    python: '/bin/sh',
    converters: join(dir, 'programs'),
    logs: dir,
    converterBytes: 0,
    threads: 1,
  };
  const call = {
    uuid: UUID,
    stage: 'convert',
    program: 'wait',
    work: join(dir, 'work'),
    request: {},
  } as const;
  const startedAt = performance.now();
  expect(await env.run(async () => await callProgram(deps, call))).toEqual({ ok: 1 });
  // Its start and its end are work that shows; in between it only sleeps.
  const asleep = beats.map(({ at }) => at - startedAt).filter((ms) => ms > 3_000 && ms < 5_500);
  expect(asleep).toHaveLength(1);
}, 20_000);
