// What a format is: which program converts the data of a sensor, and what a user should know. One file each, one
// line in the registry.
import type { z } from 'zod';
import type { Sensor } from '../../domain/sensor.js';

export interface Format {
  readonly sensor: Sensor;
  /** Program in the converters' directory; undefined = the files are the product. */
  readonly program?: string;
  /** What it takes, in a sentence. */
  readonly accepts: string;
  /** What it makes of that, in a sentence. */
  readonly product: string;
  /** What a user may set for this sensor; anything else is refused by name. */
  readonly parameters: z.ZodType<Record<string, unknown>>;
}
