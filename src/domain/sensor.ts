// Sensors: what kind of data a dataset holds, as its owner says. Spelling is the contract's.

export const SENSORS = [
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
export type Sensor = (typeof SENSORS)[number];

/** Other spellings that are taken for a sensor. */
export const SENSOR_ALIASES: Readonly<Record<string, Sensor>> = { '4D_Probe': '4D_NEXUS' };
