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

/** Sensors this version converts. The others are accepted words that are answered with `sensor_not_supported`. */
export const CONVERTIBLE_SENSORS = [
  'IDX',
  'TIFF',
  'NETCDF',
  'HDF5',
  '4D_NEXUS',
  'OTHER',
] as const satisfies readonly Sensor[];

/** Whether this version has a format for the sensor. */
export function isConvertible(sensor: Sensor): boolean {
  return (CONVERTIBLE_SENSORS as readonly Sensor[]).includes(sensor);
}
