// Sensors: what kind of data a dataset holds, as its owner says.

/** Those that older clients know; number and spelling are the contract's. */
export const OLDER_SENSORS = [
  'IDX',
  'TIFF',
  'TIFF RGB',
  'NETCDF',
  'HDF5',
  '4D_NEXUS',
  'RGB',
  'MAPIR',
  'OTHER',
] as const;

/** All of them. */
export const SENSORS = [...OLDER_SENSORS, 'NIFTI'] as const;
export type Sensor = (typeof SENSORS)[number];

/** Other spellings that are taken for a sensor. */
export const SENSOR_ALIASES: Readonly<Record<string, Sensor>> = { '4D_Probe': '4D_NEXUS' };
