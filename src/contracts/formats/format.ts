// What a format is: which program converts the data of a sensor, and what a user should know. One file each, one
// line in the registry.
import type { z } from 'zod';
import type { FailureCode } from '../../domain/failure.js';
import type { Sensor } from '../../domain/sensor.js';

/** Whether a file begins with one of these, byte by byte. */
export const beginsWith = (head: string, ...magics: readonly string[]): boolean =>
  magics.some((magic) => head.startsWith(magic));

/** What nearly every program refuses. */
export const REFUSED_BY_ALL = [
  'empty_input',
  'truncated',
  'declared_too_large',
  'slice_mismatch',
  'unsupported_type',
  'unsupported_shape',
] as const satisfies readonly FailureCode[];

export interface Format {
  readonly sensor: Sensor;
  /** Program in the converters' directory; undefined = the files are the product. */
  readonly program?: string;
  /** What it takes, in a sentence. */
  readonly accepts: string;
  /** What it makes of that, in a sentence. */
  readonly product: string;
  /** The failures that say why its program refuses data. */
  readonly refuses: readonly FailureCode[];
  /** Whether a file is of this format, by its first bytes (as latin1) and its name; see `recognised`. */
  readonly recognises?: (head: string, name: string) => boolean;
  /** One such file is enough, the others belong to it. */
  readonly leads?: true;
  /** What a user may set for this sensor; anything else is refused by name. */
  readonly parameters: z.ZodType<Record<string, unknown>>;
}
