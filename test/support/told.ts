// What the products of the samples tell beside the voxels: axes, units, sizes, times and attributes.
import type { Sensor } from '../../src/domain/sensor.js';

export interface Axis {
  readonly name: string;
  readonly size: number;
  /** In the words of the source. */
  readonly units?: string;
  readonly spacing?: number;
  readonly values?: readonly number[];
}

export interface Told {
  /** Part of metadata.json. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Its `dimensions`, in the order of storage, however they are written. */
  readonly dimensions: readonly Axis[];
  /** Of the Zarr form: axes of the array with unit, size of a voxel and first coordinate, what the numbers mean. */
  readonly zarr: {
    readonly axes: readonly string[];
    readonly scale: readonly number[];
    readonly translation?: readonly number[];
    readonly values?: Readonly<Record<string, unknown>>;
  };
}

export const TOLD: Readonly<Record<Sensor, Told>> = {
  IDX: {
    metadata: {
      axes: ['x', 'y', 'depth', 'time'],
      box: [
        [0, 0, 0],
        [90, 70, 30],
      ],
      voxel_size: [1, 2, 1, 0.5],
      types: { density: { dtype: 'uint16', min: 0 } },
    },
    dimensions: [
      { name: 'time', size: 2, values: [3, 4] },
      { name: 'depth', size: 30, spacing: 2 },
      { name: 'y', size: 70, spacing: 1 },
      { name: 'x', size: 90, spacing: 0.5 },
    ],
    zarr: { axes: ['time', 'depth', 'y', 'x'], scale: [1, 2, 1, 0.5], translation: [3, 0, 0, 0] },
  },
  TIFF: {
    metadata: {
      axes: ['x', 'y', 'z'],
      voxel_size: [null, 0.025, 0.05],
      Software: 'a test',
      DateTime: '2024:05:01 12:00:00',
      attributes_of_files: Array.from({ length: 19 }, (_, k) => ({
        file: `slice${k + 1}.tif`,
        attributes: { '/': { DateTime: `2024:05:01 12:00:${`${k + 1}`.padStart(2, '0')}` } },
      })),
    },
    dimensions: [
      { name: 'z', size: 20 },
      { name: 'y', size: 300, units: 'cm', spacing: 0.025 },
      { name: 'x', size: 700, units: 'cm', spacing: 0.05 },
    ],
    zarr: { axes: ['z', 'y centimeter', 'x centimeter'], scale: [1, 0.025, 0.05] },
  },
  'TIFF RGB': {
    metadata: {
      axes: ['x', 'y'],
      voxel_size: [0.5, 0.25],
      taken: '2024-05-01 12:00:00',
      ImageDescription: 'two tiles',
    },
    dimensions: [
      { name: 'y', size: 40, units: 'mm', spacing: 0.5 },
      { name: 'x', size: 60, units: 'mm', spacing: 0.25 },
    ],
    zarr: { axes: ['c', 'y millimeter', 'x millimeter'], scale: [1, 0.5, 0.25] },
  },
  NETCDF: {
    metadata: {
      axes: ['lon', 'lat', 'level', 'time'],
      units: 'K',
      scale_factor: 0.01,
      attributes: { add_offset: 273.15, _FillValue: -1, long_name: 'air temperature' },
      global_attributes: { title: 'made by a test' },
    },
    dimensions: [
      { name: 'time', size: 3, units: 'hours since 2000-01-01', spacing: 6, values: [240, 246, 252] },
      { name: 'level', size: 12, units: 'hPa', spacing: -50 },
      { name: 'lat', size: 50, units: 'degrees_north', spacing: 0.5 },
      { name: 'lon', size: 80, units: 'degrees_east', spacing: 0.25 },
    ],
    zarr: {
      axes: ['time hour', 'level', 'lat', 'lon'],
      scale: [6, 50, 0.5, 0.25],
      translation: [240, 0, 10, -20],
      values: {
        units: 'K',
        long_name: 'air temperature',
        scale_factor: 0.01,
        add_offset: 273.15,
        missing_value: -1,
      },
    },
  },
  HDF5: {
    metadata: {
      axes: ['axis 2', 'axis 1', 'axis 0'],
      voxel_size: [3, 0.5, 0.25],
      units: 'counts',
      attributes: { '/': { start_time: '2024-05-01T12:00:00Z' } },
    },
    dimensions: [
      { name: 'axis 0', size: 17, units: 'um' },
      { name: 'axis 1', size: 80, units: 'um' },
      { name: 'axis 2', size: 130, units: 'um' },
    ],
    zarr: {
      axes: ['z micrometer', 'y micrometer', 'x micrometer'],
      scale: [3, 0.5, 0.25],
      values: { units: 'counts' },
    },
  },
  '4D_NEXUS': {
    metadata: {
      axes: ['u', 'z', 'y', 'x'],
      voxel_size: [0.5, 0.5, null, null],
      units: 'counts',
      attributes: { '/entry': { start_time: '2024-05-01T12:00:00Z' } },
    },
    dimensions: [
      { name: 'x', size: 5, units: 'um', spacing: 0.5, values: [1, 1.5, 2, 2.5, 3] },
      { name: 'y', size: 16, units: 'um', spacing: 0.5 },
      { name: 'z', size: 27 },
      { name: 'u', size: 38 },
    ],
    zarr: {
      axes: ['x', 'y micrometer', 'z', 'u'],
      scale: [0.5, 0.5, 1, 1],
      translation: [1, 1, 0, 0],
      values: { units: 'counts' },
    },
  },
  RGB: {
    metadata: {
      axes: ['x', 'y', 'time'],
      taken: '2024-05-01 12:00:00',
      Make: 'Camera',
      first_page: { text: { Comment: 'made by a test' } },
    },
    dimensions: [
      { name: 'time', size: 2, units: 'seconds since 2024-05-01 12:00:00', spacing: 4, values: [0, 4] },
      { name: 'y', size: 60 },
      { name: 'x', size: 90 },
    ],
    zarr: { axes: ['time second', 'c', 'y', 'x'], scale: [4, 1, 1, 1] },
  },
  MAPIR: {
    metadata: {
      axes: ['x', 'y', 'time'],
      voxel_size: [2, 0.05, 0.05],
      taken: '2024-05-01 12:00:00',
      Software: 'a camera',
      gains: [0.005, 0.005, 0.005],
    },
    dimensions: [
      { name: 'time', size: 2, units: 'seconds since 2024-05-01 12:00:00', spacing: 2, values: [0, 2] },
      { name: 'y', size: 60, units: 'cm', spacing: 0.05 },
      { name: 'x', size: 90, units: 'cm', spacing: 0.05 },
    ],
    zarr: { axes: ['time second', 'y centimeter', 'x centimeter'], scale: [2, 0.05, 0.05] },
  },
  OTHER: {
    metadata: { axes: ['axis 1', 'axis 0'], voxel_size: [2, 3], units: 'K', long_name: 'heat' },
    dimensions: [
      { name: 'axis 0', size: 70 },
      { name: 'axis 1', size: 110 },
    ],
    zarr: { axes: ['y', 'x'], scale: [2, 3], values: { units: 'K', long_name: 'heat' } },
  },
  NIFTI: {
    metadata: {
      axes: ['x', 'y', 'z', 'time'],
      voxel_size: [0.7, 3, 2.5, 2],
      units: { space: 'mm', time: 's' },
      orientation: 'RAS',
      attributes: { scl_slope: 0.5 },
      affine: [
        [2, 0, 0, 0],
        [0, 2.5, 0, 0],
        [0, 0, 3, 0],
      ],
    },
    dimensions: [
      { name: 'time', size: 3, units: 's', spacing: 0.7 },
      { name: 'z', size: 12, units: 'mm', spacing: 3 },
      { name: 'y', size: 50, units: 'mm', spacing: 2.5 },
      { name: 'x', size: 80, units: 'mm', spacing: 2 },
    ],
    zarr: {
      axes: ['time second', 'z millimeter', 'y millimeter', 'x millimeter'],
      scale: [0.7, 3, 2.5, 2],
      values: { scale_factor: 0.5, add_offset: -3 },
    },
  },
};
