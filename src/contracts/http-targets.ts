// What is asked when the publish targets of a dataset change.
import { z } from 'zod';
import { publishToField } from './http-fields.js';

export const changeTargetsSchema = z
  .strictObject({
    add: publishToField.meta({ description: 'Targets of this server; those that lack the product get it' }),
    remove: publishToField.meta({ description: 'Targets to forget; what was copied there stays there' }),
    by: z.string().max(254).optional().meta({ description: 'Who asks; default: the owner' }),
  })
  .meta({ id: 'ChangeTargets' });
export type ChangeTargets = z.output<typeof changeTargetsSchema>;
/** As a client may write it: names as a list, or divided by commas. */
export type TargetsChange = z.input<typeof changeTargetsSchema>;
