// IDX: an OpenVisus dataset handed over as it is: checked, copied, proven.
import { z } from 'zod';
import type { Format } from './format.js';

export const idx: Format = { sensor: 'IDX', program: 'idx', parameters: z.strictObject({}) };
