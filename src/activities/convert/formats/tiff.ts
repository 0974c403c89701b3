// TIFF: one image, the pages of one file, or a stack of files, as an IDX volume.
import { z } from 'zod';
import type { Format } from './format.js';

export const tiff: Format = { sensor: 'TIFF', program: 'tiff', parameters: z.strictObject({}) };
