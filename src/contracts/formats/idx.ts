// IDX: an OpenVisus dataset handed over as it is: checked, copied, proven.
import { z } from 'zod';
import type { Format } from './format.js';

export const idx: Format = {
  sensor: 'IDX',
  program: 'idx',
  accepts: 'An OpenVisus dataset: an .idx or .midx file with its block files.',
  product: 'The same dataset, its entry named visus.idx.',
  recognises: (head) => head.startsWith('(version)'),
  leads: true,
  parameters: z.strictObject({}),
};
