// OTHER: published as it is, whatever it is.
import { z } from 'zod';
import type { Format } from './format.js';

export const other: Format = {
  sensor: 'OTHER',
  accepts: 'Anything.',
  product: 'The files as they are.',
  parameters: z.record(z.string(), z.unknown()),
};
