// TIFF: one image, the pages of one file, or a stack of files, as an IDX volume.
import { z } from 'zod';
import { beginsWith, type Format, REFUSED_BY_ALL } from './format.js';
import { form, formExists } from './output.js';

export const tiff: Format = {
  sensor: 'TIFF',
  program: 'tiff',
  accepts: 'TIFF files (also BigTIFF): one image, pages, a stack of files, or files with pages as timesteps.',
  product: 'An image or a volume, with timesteps when several files have pages.',
  refuses: ['no_tiff', 'not_tiff', 'unsupported_samples', 'unsupported_compression', ...REFUSED_BY_ALL],
  recognises: (head) => beginsWith(head, 'II*\0', 'MM\0*', 'II+\0', 'MM\0+'),
  parameters: z.strictObject(form).superRefine(formExists),
};
