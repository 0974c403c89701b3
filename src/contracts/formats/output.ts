// The form of a product: every format that makes voxels has this parameter.
import { z } from 'zod';

const OUTPUTS = ['idx', 'zarr', 'both'] as const;

/** The field of requests that stands for the parameter. */
export const outputField = z
  .enum(OUTPUTS)
  .optional()
  .meta({ description: 'Form of the product, as the parameter `output`: idx (default), zarr or both' });

/** The parameter. */
export const output = z
  .enum(OUTPUTS)
  .optional()
  .describe('form of the product: idx (OpenVisus, the default), zarr (Zarr v3 with levels), or both');
