// Which format the content of files is of, by their first bytes: what OTHER does where it is wished.
import { expect, test } from '@jest/globals';
import { formatOf, parametersOf, recognised } from '../../src/contracts/formats/registry.js';

const HDF5 = '\x89HDF\r\n\x1a\n';
const file = (head: string, name = 'unknown') => ({ name, head });

test.each([
  ['TIFF', [file('II*\0'), file('MM\0*')]],
  ['TIFF', [file('II+\0')]],
  ['TIFF RGB', [file('\x89PNG\r\n'), file('\xff\xd8\xff\xe0')]],
  ['NETCDF', [file('CDF\x02')]],
  ['NETCDF', [file(HDF5, 'air.nc')]],
  ['HDF5', [file(HDF5), file(HDF5)]],
  ['NIFTI', [file(`\\\x01\0\0${'\0'.repeat(340)}n+1\0`), file('\x1c\x02\0\0n+2\0\r\n\x1a\n')]],
  ['NIFTI', [file('\x1f\x8b\x08', 'brain.nii.gz')]],
  ['IDX', [file('(version)\n6'), file('\x01\x02', 'blocks/00.bin')]],
])('%s', (sensor, files) => {
  expect(recognised(files)?.sensor).toBe(sensor);
});

test.each([
  ['several kinds', [file('II*\0'), file(HDF5)]],
  ['one that is unknown', [file('II*\0'), file('notes')]],
  ['nothing known', [file('notes')]],
  ['packed files', [file('\x1f\x8b\x08', 'notes.gz')]],
  ['no file', []],
])('%s are no format', (_, files) => {
  expect(recognised(files)).toBeUndefined();
});

test('OTHER has the parameters of other sensors when it may recognise them, and refuses them by name else', () => {
  const other = formatOf('OTHER', true);
  expect(parametersOf(other, { recognise: true, output: 'zarr' })).toEqual({
    recognise: true,
    output: 'zarr',
  });
  expect(parametersOf(other, {})).toEqual({});
  expect(() => parametersOf(other, { output: 'zarr' })).toThrow(/^Parameters of OTHER: output: .*recognise/);
  expect(() => parametersOf(other, { recognise: 'yes' })).toThrow(/recognise/);
  expect(parametersOf(formatOf('OTHER', false), { output: 'zarr' })).toEqual({ output: 'zarr' });
});
