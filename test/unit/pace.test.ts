// Pacing while bytes are written: our own waits are nobody's idleness, and a failure does not wait for its turn.
import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pump } from '../../src/bytes/pump.js';
import { later } from '../support/story.js';

let directory: string;
let file: FileHandle;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-pace-'));
  file = await open(join(directory, 'a'), 'w+');
});
afterEach(async () => {
  await file.close();
  await rm(directory, { recursive: true, force: true });
});

const most = 1_000_000;
const never = new AbortController().signal;

test('a client that waits for our limit longer than it may be idle is not idle', async () => {
  const body = new PassThrough();
  body.end('hello');
  const pumped = await pump(body, { file, at: 0, most, idleMs: 40, signal: never, pace: () => later(250) });
  expect(pumped).toEqual({ bytes: 5, failure: undefined });
});

test('a client that sends nothing is idle all the same', async () => {
  const body = new PassThrough();
  body.write('hello');
  const { bytes, failure } = await pump(body, {
    ...{ file, at: 0, most, idleMs: 40, signal: never },
    pace: () => later(100),
  });
  expect([bytes, failure?.code]).toEqual([5, 'upload_interrupted']);
});

test('what came before its client went is written at once, whatever its turn', async () => {
  const body = new PassThrough();
  body.write('hello');
  const forever = new Promise<void>(() => undefined);
  const going = pump(body, { file, at: 0, most, idleMs: 60_000, signal: never, pace: () => forever });
  await later(20);
  body.destroy();
  const { bytes, failure } = await going;
  expect([bytes, failure?.code]).toEqual([5, 'upload_interrupted']);
  expect(await readFile(join(directory, 'a'), 'utf8')).toBe('hello');
});

test('without a limit all that waits goes with one write, with one a piece after the other', async () => {
  const writes = async (pace: (bytes: number) => Promise<void> | undefined): Promise<number[]> => {
    const body = new PassThrough();
    const written: number[] = [];
    for (const piece of ['aa', 'bb', 'cc']) body.write(piece);
    body.end();
    const onWritten = (bytes: number): void => void written.push(bytes);
    await pump(body, { file, at: 0, most, idleMs: 60_000, signal: never, pace, onWritten });
    return written;
  };
  expect((await writes(() => undefined)).length).toBeLessThan(3);
  expect(await writes(() => later(1))).toEqual([2, 4, 6]);
});
