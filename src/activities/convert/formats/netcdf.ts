// NETCDF: one variable of 2 to 4 dimensions (time first) as an IDX dataset.
import { z } from 'zod';
import type { Format } from './format.js';

export const netcdf: Format = {
  sensor: 'NETCDF',
  program: 'netcdf',
  parameters: z.strictObject({
    variable: z.string().min(1).optional().describe('name of the variable; default: the largest numeric one'),
  }),
};
