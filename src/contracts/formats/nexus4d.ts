// 4D_NEXUS: a scan of a probe over a sample: a volume by its path, its sample coordinates, beam intensities.
import { z } from 'zod';
import { type Format, REFUSED_BY_ALL } from './format.js';
import { form, formExists } from './output.js';

const MOST_PATHS = 16;

const paths = (words: string) =>
  z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe(`${words}; a path in the file, or several divided by commas`);

const NAMES = ['volume', 'Xs', 'Ys', 'presample', 'postsample'] as const;

/** Each may be written `Xs` or `Xs_dataset`. */
const both = <Name extends string>(name: Name, words: string) =>
  ({ [name]: paths(words), [`${name}_dataset`]: paths(`the same as ${name}`) }) as Record<
    Name | `${Name}_dataset`,
    ReturnType<typeof paths>
  >;

const spelled = z.strictObject({
  ...both(
    'volume',
    'the data, 3-D or 4-D (x, y, z, u); default: the largest numeric dataset of 4, else of 3 axes',
  ),
  ...both('Xs', 'sample coordinates along the first axis of the volume'),
  ...both('Ys', 'sample coordinates along the second axis of the volume'),
  ...both('presample', 'beam intensity before the sample, one value per x or per x and y'),
  ...both('postsample', 'beam intensity behind the sample, as presample'),
  ...form,
});

export const nexus4d: Format = {
  sensor: '4D_NEXUS',
  program: 'nexus4d',
  accepts: 'One NeXus or HDF5 file with a scan: a 3-D or 4-D volume and the coordinates of its samples.',
  product:
    'The volume in its own type: of four axes the first gives timesteps; coordinates and the map of intensities in scan.json.',
  refuses: [
    'not_hdf5',
    'no_such_dataset',
    'no_numeric_dataset',
    'several_files',
    'scan_mismatch',
    'unsafe_hdf5',
    'unsupported_compression',
    ...REFUSED_BY_ALL,
  ],
  parameters: spelled.superRefine(formExists).transform((given, context) => {
    const { output, compression } = given;
    const one: Record<string, unknown> = {
      ...(output === undefined ? {} : { output }),
      ...(compression === undefined ? {} : { compression }),
    };
    for (const name of NAMES) {
      const [short, long] = [listOf(given[name]), listOf(given[`${name}_dataset`])];
      if (short.length > 0 && long.length > 0 && short.join() !== long.join()) {
        const message = `${name} and ${name}_dataset name different datasets`;
        context.issues.push({ code: 'custom', message, input: given });
      }
      const chosen = short.length > 0 ? short : long;
      if (chosen.length > MOST_PATHS) {
        context.issues.push({
          code: 'custom',
          message: `${name} names more than ${MOST_PATHS}`,
          input: given,
        });
      }
      if (chosen.length > 0) one[name] = chosen;
    }
    return one;
  }),
};

const listOf = (value: string | string[] | undefined): string[] =>
  (Array.isArray(value) ? value : (value ?? '').split(','))
    .map((path) => path.trim())
    .filter((path) => path !== '');
