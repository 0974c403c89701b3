// IDX: an OpenVisus dataset handed over as it is: checked, copied, proven; as Zarr too where that is wished.
import { z } from 'zod';
import type { Format } from './format.js';

export const idx: Format = {
  sensor: 'IDX',
  program: 'idx',
  accepts: 'An OpenVisus dataset: an .idx or .midx file with its block files.',
  product: 'The same dataset, its entry named visus.idx; on wish Zarr beside it.',
  refuses: [
    'no_idx',
    'several_idx',
    'unsafe_idx',
    'missing_blocks',
    'empty_input',
    'unsupported_type',
    'unsupported_shape',
    'unsupported_compression',
  ],
  recognises: (head) => head.startsWith('(version)'),
  leads: true,
  parameters: z.strictObject({
    output: z
      .enum(['idx', 'both'])
      .optional()
      .describe('idx (the default): the dataset as it is; both: also as Zarr v3 with levels'),
  }),
};
