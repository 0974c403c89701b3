// How files are divided into parts, and what is kept of an unfinished command.
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LARGE_BYTES, planParts } from '../../src/cli/send-plan.js';
import { SendState } from '../../src/cli/send-state.js';
import { startTimeOf } from '../../src/process/proc.js';

const file = (name: string, size: number) => ({ name, path: `/data/${name}`, size, mtimeMs: 1 });

describe('parts', () => {
  const shapeOf = (sizes: readonly number[]) =>
    planParts(sizes.map((size, index) => file(`${index}`, size))).map(
      ({ kind, files, bytes }) => `${kind} ${files.length} ${bytes}`,
    );

  test('the largest comes first, then the forms, then the rest', () => {
    expect(shapeOf([1, LARGE_BYTES, 2, 3 * LARGE_BYTES, 2 * LARGE_BYTES])).toEqual([
      `large 1 ${3 * LARGE_BYTES}`,
      'form 2 3',
      `large 1 ${2 * LARGE_BYTES}`,
      `large 1 ${LARGE_BYTES}`,
    ]);
  });

  test('a form holds 64 MiB and 1,000 files at most, and no file is left out', () => {
    const half = LARGE_BYTES / 2;
    expect(shapeOf(Array.from({ length: 33 }, () => half))).toEqual([
      `form 16 ${16 * half}`,
      `form 16 ${16 * half}`,
      `form 1 ${half}`,
    ]);
    expect(shapeOf(Array.from({ length: 2001 }, () => 1))).toEqual([
      'form 1000 1000',
      'form 1000 1000',
      'form 1 1',
    ]);
  });

  test('a part is known by its content', () => {
    const id = (one: ReturnType<typeof file>) => planParts([one])[0]?.id;
    expect(id(file('a', 5))).toBe(id(file('a', 5)));
    expect(id({ ...file('a', 5), mtimeMs: 2 })).not.toBe(id(file('a', 5)));
  });
});

describe('what is kept', () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'sluice-sending-'));
  });
  afterAll(() => rmSync(home, { recursive: true }));
  const identity = { server: 'http://a', fields: { name: 'n', sensor: 'TIFF' }, files: [file('a', 9)] };
  const kept = () => readdirSync(join(home, 'sending'));

  test('the same command finds it again; another server, file or option does not', () => {
    const first = SendState.open(home, identity);
    first.dataset = crypto.randomUUID();
    first.note('p', 'upload_1', false);
    const again = SendState.open(home, { ...identity, fields: { sensor: 'TIFF', name: 'n' } });
    expect([again.id, again.dataset, again.part('p')]).toEqual([
      first.id,
      first.dataset,
      { job: 'upload_1', done: false },
    ]);
    for (const other of [
      { server: 'http://b' },
      { fields: { ...identity.fields, name: 'm' } },
      { files: [{ ...file('a', 9), mtimeMs: 2 }] },
      { files: [{ ...file('a', 9), path: '/other/a' }] },
    ]) {
      const state = SendState.open(home, { ...identity, ...other });
      expect(state.part('p')).toBeUndefined();
      state.remove();
    }
    again.remove();
    expect(kept()).toEqual([]);
  });

  test('what is damaged or old counts for nothing', () => {
    const first = SendState.open(home, identity);
    const [name = ''] = kept();
    writeFileSync(join(home, 'sending', name), '{"id":');
    expect(SendState.open(home, identity).id).not.toBe(first.id);
    const second = SendState.open(home, identity);
    utimesSync(join(home, 'sending', name), 0, 0);
    expect(SendState.open(home, identity).id).not.toBe(second.id);
  });

  test('while another process sends the very same, nothing is shared with it', () => {
    const first = SendState.open(home, identity);
    const [name = ''] = kept();
    const path = join(home, 'sending', name);
    // Process 1 lives as long as this test.
    const others = { id: first.id, dataset: null, parts: {}, holder: { pid: 1, startTime: startTimeOf(1) } };
    writeFileSync(path, JSON.stringify(others));
    const second = SendState.open(home, identity);
    expect(second.id).not.toBe(first.id);
    second.remove();
    expect(kept()).toEqual([name]);
  });
});
