// NETCDF: one variable of 2 to 4 dimensions (time first) as an IDX dataset.
import { z } from 'zod';
import { beginsWith, type Format, REFUSED_BY_ALL } from './format.js';
import { form, formExists } from './output.js';

export const netcdf: Format = {
  sensor: 'NETCDF',
  program: 'netcdf',
  accepts: 'NetCDF files, classic or version 4; several follow one another in time.',
  product: 'One variable as an image or a volume, with timesteps; packed values stay packed.',
  refuses: [
    'not_netcdf',
    'no_such_variable',
    'no_numeric_variable',
    'unsafe_hdf5',
    'unsupported_compression',
    ...REFUSED_BY_ALL,
  ],
  recognises: (head, name) =>
    beginsWith(head, 'CDF\x01', 'CDF\x02', 'CDF\x05') ||
    (beginsWith(head, '\x89HDF\r\n\x1a\n') && /\.nc4?$/i.test(name)),
  parameters: z
    .strictObject({
      variable: z
        .string()
        .min(1)
        .optional()
        .describe('name of the variable; default: the largest numeric one'),
      ...form,
    })
    .superRefine(formExists),
};
