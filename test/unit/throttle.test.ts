// A limit on bytes a second: it holds, it changes for those who wait, and it is shared in turns.
import { expect, test } from '@jest/globals';
import { Throttle } from '../../src/bandwidth/throttle.js';

const KIB = 1024;
const never = new AbortController().signal;

/** Milliseconds that it takes to move so much in chunks. */
async function move(throttle: Throttle, who: string, bytes: number, chunk = 16 * KIB): Promise<number> {
  const at = performance.now();
  for (let moved = 0; moved < bytes; moved += chunk) await throttle.take(who, chunk, never);
  return performance.now() - at;
}

test('what is limited takes the time that it must', async () => {
  const throttle = new Throttle(1024 * KIB);
  // Credit of a rest may be spent first, which a new limit does not have.
  const ms = await move(throttle, 'a', 1024 * KIB);
  expect(ms).toBeGreaterThan(850);
  expect(ms).toBeLessThan(2_000);
});

test('a raised limit holds at once for those who wait, and a very low one does not keep a chunk for ever', async () => {
  const throttle = new Throttle(1);
  await throttle.take('a', KIB, never).catch(() => undefined);
  const waiting = move(throttle, 'a', 64 * KIB);
  throttle.setRate(100 * 1024 * KIB);
  expect(await waiting).toBeLessThan(1_000);
});

test('those who share it get the same, however many chunks each asks for at once', async () => {
  const throttle = new Throttle(512 * KIB);
  const moved = { busy: 0, calm: 0 };
  const end = new AbortController();
  const ask = async (who: 'busy' | 'calm'): Promise<void> => {
    for (;;) {
      await throttle.take(who, 8 * KIB, end.signal);
      moved[who] += 8 * KIB;
    }
  };
  const asking = [ask('busy'), ask('busy'), ask('busy'), ask('busy'), ask('calm')];
  setTimeout(() => end.abort(), 1_500);
  await Promise.allSettled(asking);
  const ratio = moved.calm / moved.busy;
  expect(ratio).toBeGreaterThan(0.7);
  expect(ratio).toBeLessThan(1.4);
});

test('one who gives up leaves the line, and the others go on', async () => {
  const throttle = new Throttle(64 * KIB);
  await throttle.take('a', 32 * KIB, never).catch(() => undefined);
  const stop = new AbortController();
  const left = throttle.take('a', 1024 * KIB, stop.signal);
  const stays = throttle.take('b', KIB, never);
  stop.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await stays;
  await expect(throttle.take('a', 1, stop.signal)).rejects.toThrow('gone');
});
