// The parts of the transfer engine that need no source: how many streams, who takes what, who is cut, hashing behind the writer.
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { StreamBudget, StreamCount } from '../../src/activities/fetch/transfer/stream-count.js';
import { Watch, type Watched } from '../../src/activities/fetch/transfer/watch.js';
import { Work } from '../../src/activities/fetch/transfer/work.js';
import { followHash } from '../../src/bytes/hash.js';

const MIB = 1024 * 1024;

describe('number of streams', () => {
  /** What a source gives that limits each connection, and all together. */
  const grow = (each: number, all: number, steps: number): StreamCount => {
    const count = new StreamCount(16);
    for (let i = 0; i < steps; i++) count.measured(Math.min(count.wanted * each, all), i * 400);
    return count;
  };

  test('grows while every connection brings its share, up to the limit', () => {
    expect(grow(50, 1e9, 10).wanted).toBe(16);
  });

  test('does not grow where more connections bring nothing', () => {
    expect(grow(1000, 1000, 10).wanted).toBe(2);
  });

  test('stays near what is enough', () => {
    const { wanted } = grow(50, 300, 40);
    expect(wanted).toBeGreaterThanOrEqual(5);
    expect(wanted).toBeLessThanOrEqual(9);
  });

  test('a refusal halves it, and it stays so for a while', () => {
    const count = grow(50, 1e9, 10);
    count.refused(5_000);
    expect(count.wanted).toBe(8);
    count.measured(800, 6_000);
    expect(count.wanted).toBe(8);
    count.refused(7_000);
    count.refused(8_000);
    count.refused(9_000);
    count.refused(9_500);
    expect(count.wanted).toBe(1);
  });

  test('streams of all files share one budget, but each file has its first', () => {
    const budget = new StreamBudget(2);
    expect([budget.take(true), budget.take(false), budget.take(false)]).toEqual([true, true, false]);
    expect(budget.take(true)).toBe(true);
    budget.give();
    budget.give();
    expect(budget.take(false)).toBe(true);
  });
});

describe('who takes what', () => {
  test('pieces from the front, across the gaps; then half of the largest rest, and each byte once', () => {
    const gaps = [
      { start: 10 * MIB, end: 30 * MIB },
      { start: 40 * MIB, end: 100 * MIB },
    ];
    const work = new Work(gaps, 32 * MIB);
    const spans = [work.take(), work.take(), work.take()];
    expect(spans).toEqual([
      { at: 10 * MIB, end: 30 * MIB },
      { at: 40 * MIB, end: 72 * MIB },
      { at: 72 * MIB, end: 100 * MIB },
    ]);
    const [first, second] = spans;
    if (first === undefined || second === undefined) throw new Error('no spans');
    first.at = first.end;
    work.done(first);
    second.at += 8 * MIB;
    // 28 MiB are left of the third, 24 of the second.
    expect(work.take()).toEqual({ at: 86 * MIB, end: 100 * MIB });
    expect(spans[2]?.end).toBe(86 * MIB);
    expect(work.take()).toEqual({ at: 60 * MIB, end: 72 * MIB });
    expect(second.end).toBe(60 * MIB);
  });

  test('a small rest is left to who has it', () => {
    const work = new Work([{ start: 0, end: 4 * MIB }], 32 * MIB);
    expect(work.take()).toEqual({ at: 0, end: 4 * MIB });
    expect(work.take()).toBeUndefined();
  });
});

describe('who is cut', () => {
  const stream = (bytes: number, waitingSince: number | undefined, cut: string[], name: string): Watched => ({
    bytes,
    waitingSince,
    begunAt: 0,
    cut: (why) => cut.push(`${name}: ${(why.cause as Error).message}`),
  });

  test('who gives nothing for the stall limit; not who is held back by a limit of ours', () => {
    const [watch, cut, now] = [new Watch(5_000), [] as string[], performance.now()];
    watch.add(stream(0, now - 6_000, cut, 'silent'));
    watch.add(stream(0, undefined, cut, 'paced'));
    watch.add(stream(9, now - 100, cut, 'alive'));
    watch.look(now);
    expect(cut).toEqual(['silent: a stream was stalled']);
    watch.end();
  });

  test('who gives far less than those beside it, over a while', () => {
    const [watch, cut, now] = [new Watch(60_000), [] as string[], performance.now()];
    for (const [name, bytes] of [
      ['a', 100],
      ['b', 90],
      ['c', 5],
      ['d', 20],
    ] as const)
      watch.add(stream(bytes, now, cut, name));
    watch.look(now + 1_000);
    expect(cut).toEqual([]);
    watch.look(now + 11_000);
    expect(cut).toEqual(['c: a stream was far slower than the others']);
    watch.end();
  });
});

describe('hashing behind the writer', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-follow-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  const digest = (algorithm: string, bytes: Buffer): string =>
    createHash(algorithm).update(bytes).digest('hex');

  test('several files at once, each growing in steps', async () => {
    const files = Array.from({ length: 5 }, (_, i) => randomBytes(30 * MIB + i));
    const hashes = await Promise.all(
      files.map(async (bytes, i) => {
        const path = join(dir, String(i));
        await writeFile(path, '');
        const read: number[] = [];
        const follower = followHash(path, ['md5'], (upTo) => upTo > 0 && read.push(upTo));
        for (let at = 0; at < bytes.length; at += 10 * MIB) {
          await appendFile(path, bytes.subarray(at, at + 10 * MIB));
          follower.advance(Math.min(at + 10 * MIB, bytes.length));
        }
        const hash = await follower.finish(bytes.length);
        // Read once, from the front: it was not read anew at the end.
        expect(read).toEqual([...new Set(read)].sort((a, b) => a - b));
        expect(read.at(-1)).toBe(bytes.length);
        return hash;
      }),
    );
    expect(hashes).toEqual(
      files.map((bytes) => ({
        sha256: digest('sha256', bytes),
        size: bytes.length,
        also: { md5: digest('md5', bytes) },
      })),
    );
  });

  test.each([
    ['a last part that is short', 30 * MIB + 7],
    ['whole parts only', 24 * MIB],
  ])('the digest of parts, each made by itself: %s', async (_what, size) => {
    const bytes = randomBytes(size);
    const path = join(dir, 'parts');
    await writeFile(path, '');
    const follower = followHash(path, [`md5-parts-${8 * MIB}`, 'sha1']);
    for (let at = 0; at < size; at += 5 * MIB) {
      await appendFile(path, bytes.subarray(at, at + 5 * MIB));
      follower.advance(Math.min(at + 5 * MIB, size));
    }
    const parts = Array.from({ length: Math.ceil(size / (8 * MIB)) }, (_, i) =>
      createHash('md5')
        .update(bytes.subarray(i * 8 * MIB, (i + 1) * 8 * MIB))
        .digest(),
    );
    expect(await follower.finish(size)).toEqual({
      sha256: digest('sha256', bytes),
      size,
      also: {
        sha1: digest('sha1', bytes),
        [`md5-parts-${8 * MIB}`]: `${digest('md5', Buffer.concat(parts))}-${parts.length}`,
      },
    });
  });

  test('a file that is shorter than what was told: the whole is read at the end, and its size is the truth', async () => {
    const path = join(dir, 'short');
    await writeFile(path, randomBytes(9 * MIB));
    for (const also of [[], [`md5-parts-${8 * MIB}`]] as const) {
      const follower = followHash(path, also);
      follower.advance(20 * MIB);
      expect((await follower.finish(20 * MIB)).size).toBe(9 * MIB);
    }
  });

  test('one that is dropped keeps no thread from the others', async () => {
    const path = join(dir, 'dropped');
    await writeFile(path, randomBytes(20 * MIB));
    for (let i = 0; i < 6; i++) {
      const follower = followHash(path, []);
      follower.advance(20 * MIB);
      follower.drop();
    }
    const last = followHash(path, []);
    expect((await last.finish(20 * MIB)).size).toBe(20 * MIB);
  });
});
