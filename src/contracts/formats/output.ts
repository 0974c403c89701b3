// The form of a product: every format that makes voxels has these parameters.
import { z } from 'zod';

const OUTPUTS = ['idx', 'zarr', 'both'] as const;

/** The field of requests that stands for the parameter. */
export const outputField = z
  .enum(OUTPUTS)
  .optional()
  .meta({ description: 'Form of the product, as the parameter `output`: idx (default), zarr or both' });

/** The parameters. */
export const form = {
  output: z
    .enum(OUTPUTS)
    .optional()
    .describe('form of the product: idx (OpenVisus, the default), zarr (Zarr v3 with levels), or both'),
  compression: z
    .enum(['zip', 'lz4'])
    .optional()
    .describe(
      'of the blocks of an idx: zip (the default, read by every viewer) or lz4 (larger, read and written faster); Zarr has Zstandard',
    ),
};
