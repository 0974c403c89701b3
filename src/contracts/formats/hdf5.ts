// HDF5: one dataset of 2 to 4 dimensions as an IDX dataset.
import { z } from 'zod';
import { type Format, REFUSED_BY_ALL } from './format.js';
import { form, formExists } from './output.js';

export const hdf5: Format = {
  sensor: 'HDF5',
  program: 'hdf5',
  accepts: 'HDF5 files, also NeXus and NetCDF-4; several follow one another in time.',
  product: 'One dataset as an image or a volume, in its own type; four dimensions give timesteps.',
  refuses: [
    'not_hdf5',
    'no_such_dataset',
    'no_numeric_dataset',
    'unsafe_hdf5',
    'unsupported_compression',
    ...REFUSED_BY_ALL,
  ],
  recognises: (head) => head.startsWith('\x89HDF\r\n\x1a\n'),
  parameters: z
    .strictObject({
      dataset: z
        .string()
        .min(1)
        .max(1000)
        .optional()
        .describe('path of the dataset in the file; default: the largest numeric one of 2 to 4 dimensions'),
      time_first: z.boolean().optional().describe('the first of three axes is time; default: it is depth'),
      ...form,
    })
    .superRefine(formExists),
};
