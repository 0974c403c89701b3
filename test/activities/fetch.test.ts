// fetchSource: killed between any two of its last steps, the next attempt ends with the same dataset.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { archiveKind } from '../../src/activities/fetch/archive-kind.js';
import { asFailure } from '../../src/activities/support/failures.js';
import { startHeart } from '../../src/activities/support/heartbeat.js';
import { runStage } from '../../src/activities/support/run-stage.js';
import { markCancelled } from '../../src/bytes/cancelled.js';
import { onDisk } from '../../src/bytes/disk-fault.js';
import { readManifest } from '../../src/bytes/store.js';
import { Fault } from '../../src/domain/fault.js';
import { Bench, failure, someBytes, UUID } from '../contract/sources/bench.js';

const JOB = 'upload_1_0000000a';
const FILES = { a: someBytes(10), 'd/b': someBytes(20), 'd/e/c': someBytes(30) };
let bench: Bench;
let source: { kind: 'local'; path: string };
beforeEach(async () => {
  bench = await Bench.open();
  source = { kind: 'local', path: join(bench.dir, 'local/data') };
  for (const [name, bytes] of Object.entries(FILES)) {
    await mkdir(join(source.path, name, '..'), { recursive: true });
    await writeFile(join(source.path, name), bytes);
  }
});
afterEach(() => bench.close());

const inRoot = (path: string): string => join(bench.roots.in, path);
const staging = (path: string): string => inRoot(`.staging/${JOB}/${path}`);

/** Puts the disk back to the moment before `kept` files were moved: with the plan, without manifest and receipt. */
async function rewind(moved: readonly string[]): Promise<void> {
  const first = await bench.run(source);
  if (!first.done) throw new Error('not done');
  const { files } = await readManifest(bench.roots, first.delivery.manifest);
  await mkdir(staging('files'), { recursive: true });
  await writeFile(staging('plan.json'), JSON.stringify({ files }));
  for (const { path } of files) {
    if (moved.includes(path)) continue;
    await cp(inRoot(`${UUID}/${path}`), staging(`files/${path}`), { recursive: true });
    await rm(inRoot(`${UUID}/${path}`));
  }
  // The source must not be asked again.
  await rm(source.path, { recursive: true });
}

describe('killed', () => {
  test.each([
    ['before the first move', []],
    ['between two moves', ['d/b']],
    ['after the last move', ['a', 'd/b', 'd/e/c']],
  ])('%s', async (_when, moved) => {
    await rewind(moved);
    await rm(inRoot('.receipts'), { recursive: true });
    await rm(inRoot('.manifests'), { recursive: true });
    await bench.prove(await bench.run(source), FILES);
  });

  test('between link and unlink of one file', async () => {
    await rewind(['a', 'd/b', 'd/e/c']);
    await rm(inRoot('.receipts'), { recursive: true });
    await mkdir(staging('files/d'), { recursive: true });
    await cp(inRoot(`${UUID}/d/b`), staging('files/d/b'));
    await bench.prove(await bench.run(source), FILES);
  });

  test('after the receipt: the staging area is cleared all the same', async () => {
    const first = await bench.run(source);
    await mkdir(staging('files'), { recursive: true });
    expect(await bench.run(source)).toEqual(first);
    await bench.proveEmptyStaging();
  });
});

test('a file where a directory is wanted, and a directory where a file is wanted', async () => {
  await mkdir(inRoot(`${UUID}/a`), { recursive: true });
  await writeFile(inRoot(`${UUID}/a/own`), 'own');
  await writeFile(inRoot(`${UUID}/d`), 'own');
  const output = await bench.run(source);
  if (!output.done) throw new Error('not done');
  const { files } = await readManifest(bench.roots, output.delivery.manifest);
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual([
    expect.stringMatching(/^a-[0-9a-f]{8}$/),
    expect.stringMatching(/^d-[0-9a-f]{8}-1\/b$/),
    expect.stringMatching(/^d-[0-9a-f]{8}-1\/e\/c$/),
  ]);
  expect((await readFile(inRoot(`${UUID}/${paths[1]}`))).equals(FILES['d/b'])).toBe(true);
  expect(await readFile(inRoot(`${UUID}/d`), 'utf8')).toBe('own');
  expect(await readdir(inRoot(`${UUID}/a`))).toEqual(['own']);
});

test('a secret outlives a failure, and is forgotten with the success', async () => {
  const { secrets } = bench.deps;
  await secrets.seal(JOB, { password: 'x' });
  await expect(bench.run({ kind: 'local', path: join(bench.dir, 'local/none') })).rejects.toThrow();
  expect(await secrets.open(JOB)).toEqual({ password: 'x' });
  await bench.run(source);
  expect(await secrets.open(JOB)).toBeUndefined();
});

test('a source that fails is left alone for longer each time', async () => {
  const deps = { ...bench.deps, admit: () => Promise.reject(new Error('away')) };
  const rests: unknown[] = [];
  for (const _ of [1, 2, 3, 4]) {
    await bench.run(source, {}, deps).catch((error: ApplicationFailure) => rests.push(error.nextRetryDelay));
  }
  expect(rests).toEqual([1_000, 2_000, 4_000, 8_000]);
});

test('a full disk is a failure that is tried again', async () => {
  const writing = onDisk(() => writeFile('/dev/full', 'x'));
  await expect(writing).rejects.toMatchObject({ code: 'disk_full' });
  expect(asFailure(await writing.catch((error: unknown) => error))).toMatchObject({
    type: 'disk_full',
    nonRetryable: false,
  });
});

test('failures carry code, sentence and facts; errors without a code are internal', () => {
  expect(
    asFailure(new Error('outer', { cause: new Fault('no_files', 'Nothing.', { facts: { n: 1 } }) })),
  ).toMatchObject({
    type: 'no_files',
    message: 'Nothing.',
    nonRetryable: true,
    details: [{ n: 1 }],
  });
  expect(asFailure(new Error('odd'))).toMatchObject({
    type: 'internal',
    message: 'odd',
    nonRetryable: false,
  });
});

test.each([
  [1, false],
  [2, false],
  [3, true],
  [9, true],
])('a conversion that fails by itself in attempt %d is final: %s', async (attempt, nonRetryable) => {
  const environment = new MockActivityEnvironment({ attempt });
  const run = () =>
    runStage(async () => {
      throw new Fault('program_failed');
    }, 'convert');
  await expect(environment.run(run)).rejects.toMatchObject({ type: 'program_failed', nonRetryable });
});

test('heartbeats are throttled, the end is always told, once, and a wait hands back its result', async () => {
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const beats: unknown[] = [];
  env.on('heartbeat', (details) => beats.push(details));
  const reports: unknown[] = [];
  await env.run(async () => {
    const heart = startHeart({ report: (progress) => reports.push(progress) }, { uuid: UUID, jobId: JOB });
    const at = (done: number) => ({ stage: 'fetch', done, total: 50, unit: 'bytes' }) as const;
    for (let done = 0; done <= 50; done++) heart.beat(at(done));
    for (let more = 0; more < 50; more++) heart.beat(at(50));
    expect(await heart.waiting(Promise.resolve('value'), 0)).toBe('value');
  });
  expect(beats).toEqual([expect.objectContaining({ done: 0 }), expect.objectContaining({ done: 50 })]);
  expect(reports).toEqual(
    beats.map((beat) => expect.objectContaining({ ...(beat as object), uuid: UUID, jobId: JOB })),
  );
});

test('what is no archive is not taken for one', async () => {
  const path = join(bench.dir, 'x');
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(2000),
    Buffer.from('PK'),
    Buffer.from([0x1f, 0x8b, 8, 0]),
    someBytes(1000),
  ]) {
    await writeFile(path, bytes);
    expect(await archiveKind(path)).toBeUndefined();
  }
});

test('an upload that was cancelled is not fetched when its run is started once more', async () => {
  await markCancelled(bench.roots, UUID, JOB);
  await expect(bench.run(source)).rejects.toEqual(failure('cancelled'));
});
