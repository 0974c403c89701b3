// The range journal and the partial file: what is confirmed survives, what is torn or outdated does not count.
import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Owner, readJournal, toLine } from '../../src/bytes/journal.js';
import { confirmedBytes, PartialFile } from '../../src/bytes/partial-file.js';
import { countBytes, mergeRanges, missingRanges, splitRanges } from '../../src/bytes/ranges.js';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-journal-'));
  path = join(dir, 'p/file');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const owner = (attempt: number, since = 1, runId = 'r'): Owner => ({ runId, attempt, since });
const etag = (text: string) => ({ etag: text });
const same = (a: { etag?: string }, b: { etag?: string }): boolean => a.etag === b.etag;
const open = (who: Owner, version = 'v1'): Promise<PartialFile> =>
  PartialFile.open(path, who, etag(version), same);

describe('ranges', () => {
  test('merge, count, miss, split', () => {
    const ranges = [
      { start: 10, end: 20 },
      { start: 0, end: 5 },
      { start: 5, end: 6 },
      { start: 15, end: 30 },
      { start: 40, end: 40 },
    ];
    expect(mergeRanges(ranges)).toEqual([
      { start: 0, end: 6 },
      { start: 10, end: 30 },
    ]);
    expect(countBytes(ranges)).toBe(26);
    expect(missingRanges(ranges, 35)).toEqual([
      { start: 6, end: 10 },
      { start: 30, end: 35 },
    ]);
    expect(missingRanges([], 0)).toEqual([]);
    expect(missingRanges([{ start: 0, end: 50 }], 20)).toEqual([]);
    expect(splitRanges([{ start: 0, end: 5 }], 2)).toEqual([
      { start: 0, end: 2 },
      { start: 2, end: 4 },
      { start: 4, end: 5 },
    ]);
  });
});

describe('partial file', () => {
  test('goes on where the last flush was; later bytes do not count', async () => {
    const bytes = randomBytes(1000);
    const first = await open(owner(1));
    await first.write(bytes.subarray(0, 100), 0);
    await first.write(bytes.subarray(500, 700), 500);
    await first.flush();
    await first.write(bytes.subarray(100, 300), 100);
    await first.close();
    expect(await confirmedBytes(path)).toBe(300);
    const second = await open(owner(2));
    expect(second.confirmed).toBe(300);
    for (const { start, end } of second.missing(1000)) await second.write(bytes.subarray(start, end), start);
    await second.flush();
    expect(second.missing(1000)).toEqual([]);
    await second.close();
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  test('what was written counts only under the same start of the machine; what was synced always', async () => {
    const file = await open(owner(1));
    await file.write(Buffer.alloc(1000), 0);
    await file.flush();
    await file.close();
    expect(await confirmedBytes(path)).toBe(1000);
    const [head = '', ...lines] = (await readFile(`${path}.journal`, 'utf8')).split('\n');
    const value = { ...JSON.parse(head.slice(9)), boot: 'another start' } as unknown;
    await writeFile(`${path}.journal`, [toLine(value), ...lines.map((line) => `${line}\n`)].join(''));
    expect(await confirmedBytes(path)).toBe(0);
    await writeFile(`${path}.journal`, toLine(value) + toLine([0, 600]) + toLine([600, 1000, 'w']));
    expect(await confirmedBytes(path)).toBe(600);
  });

  test('confirms by itself after every 4 MiB', async () => {
    const file = await open(owner(1));
    const chunk = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 17; i++) await file.write(chunk, i * chunk.length);
    // The last confirmation may be under way still.
    expect(await confirmedBytes(path)).toBeGreaterThanOrEqual(8 * chunk.length);
    await file.close();
  });

  test.each([
    ['a torn last line', '0badc0de [900,100'],
    ['a whole line with a wrong checksum', '00000000 [900,1000]\n'],
  ])('%s is ignored', async (_what, line) => {
    const file = await open(owner(1));
    await file.write(Buffer.alloc(1000), 0);
    await file.flush();
    await file.close();
    await appendFile(`${path}.journal`, line);
    expect((await readJournal(`${path}.journal`))?.confirmed).toEqual([{ start: 0, end: 1000 }]);
  });

  test('another version of the source starts from zero in a new file', async () => {
    const first = await open(owner(1), 'v1');
    await first.write(Buffer.alloc(100, 1), 0);
    await first.flush();
    const second = await open(owner(2), 'v2');
    expect(second.confirmed).toBe(0);
    await second.write(Buffer.alloc(50, 2), 0);
    // The older writer is late: its bytes reach neither the file nor the journal.
    await first.write(Buffer.alloc(100, 9), 0);
    await expect(first.flush()).rejects.toMatchObject({ name: 'JournalTaken' });
    await second.flush();
    await Promise.all([first.close(), second.close()]);
    expect((await readFile(path)).equals(Buffer.alloc(50, 2))).toBe(true);
  });

  test('an older attempt may not take over a newer one; one after a pause may, though it counts from 1', async () => {
    await (await open(owner(3, 5))).close();
    await expect(open(owner(2, 5))).rejects.toMatchObject({ name: 'JournalTaken' });
    await expect(open(owner(9, 4))).rejects.toMatchObject({ name: 'JournalTaken' });
    await (await open(owner(1, 6))).close();
    await (await open(owner(1, 7, 'other'))).close();
  });

  test('ranges beyond the end of the file do not count', async () => {
    const file = await open(owner(1));
    await file.write(Buffer.alloc(100), 0);
    await file.flush();
    await file.write(Buffer.alloc(100), 200);
    await file.flush();
    await file.close();
    await truncate(path, 150);
    expect(await confirmedBytes(path)).toBe(100);
  });
});
