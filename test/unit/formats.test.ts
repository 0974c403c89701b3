// What every format lets a user choose: the form of a product and how its values are packed.
import { describe, expect, test } from '@jest/globals';
import { formatOf, parametersOf } from '../../src/contracts/formats/registry.js';
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
