// NIFTI: images of medicine as one file, version 1 or 2, also packed by gzip.
import { z } from 'zod';
import { beginsWith, type Format, REFUSED_BY_ALL } from './format.js';
import { form, formExists } from './output.js';

const MARK_PLACE = 344;

export const nifti: Format = {
  sensor: 'NIFTI',
  program: 'nifti',
  accepts:
    'NIfTI-1 and NIfTI-2 files (.nii, .nii.gz), of two to four axes; several follow one another in time.',
  product:
    'An image or a volume, with timesteps; values stay as they are stored, slope, units and orientation are kept.',
  refuses: ['not_nifti', ...REFUSED_BY_ALL],
  recognises: (head, name) =>
    head.startsWith('n+1\0', MARK_PLACE) ||
    head.startsWith('n+2\0\r\n\x1a\n', 4) ||
    (beginsWith(head, '\x1f\x8b') && /\.nii\.gz$/i.test(name)),
  parameters: z.strictObject(form).superRefine(formExists),
};
