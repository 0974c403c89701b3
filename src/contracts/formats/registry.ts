// All formats, a line each.
import { z } from 'zod';
import { failureRow } from '../../domain/failure.js';
import { Fault } from '../../domain/fault.js';
import type { Sensor } from '../../domain/sensor.js';
import type { SensorList } from '../http-sensors.js';
import type { Format } from './format.js';
import { hdf5 } from './hdf5.js';
import { idx } from './idx.js';
import { netcdf } from './netcdf.js';
import { nexus4d } from './nexus4d.js';
import { nifti } from './nifti.js';
import { other, unconverted } from './other.js';
import { mapir, rgb, tiffRgb } from './pictures.js';
import { tiff } from './tiff.js';

const FORMATS: Readonly<Record<Sensor, Format>> = {
  IDX: idx,
  TIFF: tiff,
  'TIFF RGB': tiffRgb,
  NETCDF: netcdf,
  HDF5: hdf5,
  '4D_NEXUS': nexus4d,
  RGB: rgb,
  MAPIR: mapir,
  OTHER: other,
  NIFTI: nifti,
};

/** The format of a sensor; without conversion the files are the product. */
export const formatOf = (sensor: Sensor, convert: boolean): Format =>
  convert ? FORMATS[sensor] : unconverted;

/** A file by its name and its first bytes. */
export interface FileHead {
  readonly name: string;
  /** HEAD_BYTES of it, read as latin1. */
  readonly head: string;
}

// Some formats have their mark behind a header.
export const HEAD_BYTES = 512;

/** The format that all files are of, or that one of them leads; undefined when there is none. */
export function recognised(files: readonly FileHead[]): Format | undefined {
  return Object.values(FORMATS).find(({ recognises, leads }) => {
    const known = files.filter(({ head, name }) => recognises?.(head, name) === true);
    return known.length > 0 && (leads === true || known.length === files.length);
  });
}

/** The parameters of a format, checked. @throws Fault `invalid_field` naming what is wrong */
export function parametersOf(format: Format, parameters: unknown): Record<string, unknown> {
  const checked = format.parameters.safeParse(parameters);
  if (checked.success) return checked.data;
  const words = checked.error.issues.map(
    (issue) => `${issue.path.join('.') || 'parameters'}: ${issue.message}`,
  );
  throw new Fault('invalid_field', `Parameters of ${format.sensor}: ${words.join('; ')}.`);
}

/** Every format in words, what it refuses as in the table of failures, its parameters as JSON schema. */
export const describeFormats = (): SensorList => ({
  sensors: Object.values(FORMATS).map(({ sensor, accepts, product, refuses, parameters }) => ({
    sensor,
    accepts,
    product,
    refuses: refuses.map((code) => {
      const { say, remedy } = failureRow(code);
      return { code, say, remedy };
    }),
    parameters: z.toJSONSchema(parameters, { io: 'input' }),
  })),
});
