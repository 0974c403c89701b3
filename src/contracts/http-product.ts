// A published product as the API shows it.
import { z } from 'zod';

export const productSchema = z.object({
  kind: z.string(),
  entry: z.string().nullable(),
  bytes: z.int(),
  files: z.int(),
  checked: z.int(),
  blocks: z.int(),
  directory: z.string().meta({ description: 'Absolute path on the server' }),
  manifest: z.string().meta({ description: 'Absolute path of manifest.json on the server' }),
  preview: z.string().nullable().meta({ description: 'Absolute path of the picture on the server' }),
  strip: z.string().nullable().meta({ description: 'Absolute path of the picture of several slices' }),
  histogram: z.string().nullable().meta({ description: 'Absolute path of the picture of the histogram' }),
});

/** The product at each publish target. */
export const publishedSchema = z.array(
  z.object({
    target: z.string(),
    status: z.enum(['pending', 'done', 'failed']),
    at: z.iso.datetime(),
    url: z.string().nullable().meta({ description: 'Where it lies there' }),
    code: z.string().optional(),
    say: z.string().optional(),
  }),
);
