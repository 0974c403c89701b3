// What every format lets a user choose, the form of a product and how its values are packed; and what it refuses.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { describeFormats, formatOf, parametersOf } from '../../src/contracts/formats/registry.js';
import { failureRow, isFailureCode } from '../../src/domain/failure.js';
import { SENSORS, type Sensor } from '../../src/domain/sensor.js';

describe('compression', () => {
  const converting = SENSORS.filter((sensor) => sensor !== 'IDX');
  const given = (sensor: Sensor, parameters: Record<string, unknown>) =>
    parametersOf(
      formatOf(sensor, true),
      sensor === 'OTHER' ? { recognise: true, ...parameters } : parameters,
    );

  test.each(converting)('%s takes what the wished form has, and hands it on', (sensor) => {
    for (const parameters of [
      { compression: 'zip' },
      { output: 'idx', compression: 'lz4' },
      { output: 'zarr', compression: 'zstd' },
      { output: 'zarr', compression: 'lz4' },
      { output: 'both', compression: 'lz4' },
    ]) {
      expect(given(sensor, parameters)).toMatchObject(parameters);
    }
  });

  test.each(converting)('%s refuses by name what the wished form has not', (sensor) => {
    for (const [output, compression] of [
      [undefined, 'zstd'],
      ['idx', 'zstd'],
      ['zarr', 'zip'],
      ['both', 'zip'],
      ['both', 'zstd'],
      ['zarr', 'gzip'],
    ]) {
      const parameters = output === undefined ? { compression } : { output, compression };
      expect(() => given(sensor, parameters)).toThrow(
        expect.objectContaining({ code: 'invalid_field', message: expect.stringMatching(/: compression: /) }),
      );
    }
  });

  test('IDX, and OTHER without recognise, have none', () => {
    for (const sensor of ['IDX', 'OTHER'] as const) {
      expect(() => parametersOf(formatOf(sensor, true), { compression: 'zip' })).toThrow(/compression/);
    }
  });
});

describe('refusals', () => {
  const ROOT = 'converters';
  const LIBRARY = 'sluice_convert';
  const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
  const codesIn = (text: string): string[] =>
    [...text.matchAll(/"([a-z0-9_]+)"/g)].map(([, word = '']) => word).filter(isFailureCode);

  /** A program with all that it imports of ours, however far away. */
  function closureOf(program: string): string[] {
    const found = new Set<string>();
    const todo = [`${program}.py`];
    for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
      if (found.has(path)) continue;
      found.add(path);
      todo.push(...importsOf(textOf(path)));
    }
    return [...found];
  }

  function importsOf(text: string): string[] {
    const known = new Set([
      ...readdirSync(ROOT),
      ...readdirSync(join(ROOT, LIBRARY)).map((name) => `${LIBRARY}/${name}`),
    ]);
    const words = [...text.matchAll(/^\s*(?:from (\S+) import (.+)|import (\S+))/gm)].flatMap(
      ([, from = '', names = '', plain = '']) => {
        const home = from.replace(/^\./, `${LIBRARY}.`).replace(/\.$/, '');
        const parts = names
          .replace(/[()]/g, '')
          .split(',')
          .map((name) => name.trim().split(' ')[0] ?? '');
        return [plain, home, ...parts.map((part) => `${home}.${part}`)];
      },
    );
    return words.map((word) => `${word.replaceAll('.', '/')}.py`).filter((path) => known.has(path));
  }

  const converting = SENSORS.map((sensor) => formatOf(sensor, true)).filter(
    ({ program }) => program !== undefined,
  );

  test.each(converting)(
    '$sensor names only codes that its program can say, each of them once',
    ({ program = '', refuses }) => {
      const sayable = closureOf(program).flatMap((path) => codesIn(textOf(path)));
      expect(refuses.filter((code) => !sayable.includes(code))).toEqual([]);
      expect(new Set(refuses).size).toBe(refuses.length);
      for (const code of refuses) expect(failureRow(code).blame).toBe('content');
    },
  );

  test('every code that a converter can say is named by a format', () => {
    // Of requests that no API lets through, of the disk, and of the proof.
    const others = ['bad_content', 'disk_full', 'no_proof', 'product_differs'];
    const programs = [...new Set(converting.map(({ program = '' }) => program))];
    const said = new Set(
      [...programs, 'prove'].flatMap((one) => closureOf(one).flatMap((path) => codesIn(textOf(path)))),
    );
    const named = new Set<string>(converting.flatMap(({ refuses }) => refuses));
    expect([...said].filter((code) => !named.has(code)).sort()).toEqual(others);
  });

  test('they are told with the words of the table of failures', () => {
    const told = describeFormats().sensors.find(({ sensor }) => sensor === 'TIFF');
    expect(told?.refuses).toContainEqual({
      code: 'not_tiff',
      say: failureRow('not_tiff').say,
      remedy: failureRow('not_tiff').remedy,
    });
  });
});
