// OTHER: published as it is, whatever it is; on wish recognised by its content.
import { z } from 'zod';
import type { Format } from './format.js';
import { form, formExists } from './output.js';

export const other: Format = {
  sensor: 'OTHER',
  accepts: 'Anything.',
  product: 'The files as they are; with `recognise`, what the format of their content makes of them.',
  // With `recognise` those of the format that is found.
  refuses: [],
  parameters: z
    .looseObject({
      recognise: z
        .boolean()
        .optional()
        .describe(
          'true: when all files are of one kind, it is converted with the other parameters; else the files are published as they are',
        ),
      ...form,
    })
    .superRefine(({ recognise, ...others }, context) => {
      const [name] = Object.keys(others);
      if (recognise === true) return formExists(others, context);
      if (name === undefined) return;
      context.addIssue({
        code: 'custom',
        path: [name],
        message: 'OTHER has it with `recognise` only; without, the files are published as they are',
      });
    }),
};

/** Without conversion: what another run of the dataset would be given stays as it is. */
export const unconverted: Format = { ...other, parameters: z.looseObject({}) };
