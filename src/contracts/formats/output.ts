// The form of a product: every format that makes voxels has these parameters.
import { z } from 'zod';

const OUTPUTS = ['idx', 'zarr', 'both'] as const;
type Output = (typeof OUTPUTS)[number];
const COMPRESSIONS = ['zip', 'lz4', 'zstd'] as const;

// What the readers of a form have; OpenVisus has no Zstandard, and Zarr no zip. The usual one of a form is the first.
const COMPRESSIONS_OF: Readonly<Record<Output, readonly (typeof COMPRESSIONS)[number][]>> = {
  idx: ['zip', 'lz4'],
  zarr: ['zstd', 'lz4'],
  both: ['lz4'],
};

/** The field of requests that stands for the parameter. */
export const outputField = z
  .enum(OUTPUTS)
  .optional()
  .meta({ description: 'Form of the product, as the parameter `output`: idx (default), zarr or both' });

/** The parameters; `formExists` goes with them. */
export const form = {
  output: z
    .enum(OUTPUTS)
    .optional()
    .describe('form of the product: idx (OpenVisus, the default), zarr (Zarr v3 with levels), or both'),
  compression: z
    .enum(COMPRESSIONS)
    .optional()
    .describe(
      'how values are packed, always without loss; of idx: zip (the default, read by every viewer) or lz4 (larger, faster); of zarr: zstd (the default) or lz4 (faster to read); of both: lz4, else the default of each',
    ),
};

interface Form {
  readonly output?: Output | undefined;
  readonly compression?: (typeof COMPRESSIONS)[number] | undefined;
}

/** Refuses a compression that a wished form does not have. */
export function formExists({ output = 'idx', compression }: Form, context: z.RefinementCtx): void {
  const known = COMPRESSIONS_OF[output];
  if (compression === undefined || known.includes(compression)) return;
  context.addIssue({
    code: 'custom',
    path: ['compression'],
    message: `the output ${output} has ${known.join(' or ')}, not ${compression}`,
  });
}
