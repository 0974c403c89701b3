// Fields that several HTTP bodies share, as zod schemas: the one place that says what a client may send.
import { z } from 'zod';
import { NORMAL_PRIORITY, PRIORITIES } from '../domain/priority.js';
import { SENSOR_ALIASES, SENSORS } from '../domain/sensor.js';
import { DUPLICATE_RULES } from '../domain/upload.js';

const PRIORITY_WORDS = 'Input should be 1 (high), 2 (normal) or 3 (low)';
const TRUE = ['true', '1', 'yes', 'on'];
const FALSE = ['false', '0', 'no', 'off'];

/** A boolean, or one of the words that forms send for it (any case). */
export const booleanField = z
  .union([z.boolean(), z.string(), z.number()])
  .transform((value, context) => {
    const word = String(value).trim().toLowerCase();
    if (TRUE.includes(word)) return true;
    if (FALSE.includes(word)) return false;
    context.issues.push({
      code: 'custom',
      message: 'Input should be a valid boolean: true, false, 1, 0, yes, no, on or off',
      input: value,
    });
    return z.NEVER;
  })
  .meta({ type: 'boolean' });

/** A text that may be absent or null; both read as null. */
const optionalText = (max: number) =>
  z
    .string()
    .max(max)
    .nullish()
    .transform((text) => (text === undefined || text === '' ? null : text));

/** A whole number in a query, where everything is text. */
export function countField(min: number, max: number, usual: number) {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
  const words = `Input should be a whole number, ${range}`;
  return z.coerce.number({ error: words }).int(words).min(min, words).max(max, words).default(usual);
}

/** What a source had and did not give. */
export const leftOutSchema = z
  .object({ count: z.int(), names: z.array(z.string()) })
  .nullable()
  .meta({ description: 'What the source had and was asked to leave out: how many, and the first names' });

/** How urgent it is. */
export const priorityField = z
  .union([z.number(), z.string()], { error: PRIORITY_WORDS })
  .default(NORMAL_PRIORITY)
  .transform((value, context) => {
    const known = PRIORITIES.find((one) => String(one) === String(value).trim());
    if (known !== undefined) return known;
    context.issues.push({ code: 'custom', message: PRIORITY_WORDS, input: value });
    return z.NEVER;
  })
  .meta({ type: 'integer', enum: [...PRIORITIES], description: '1 high, 2 normal, 3 low' });

export const emailField = z.email().max(254).meta({ description: 'Owner, an e-mail address' });
export const sensorField = z
  .preprocess(
    (value) => (typeof value === 'string' ? (SENSOR_ALIASES[value] ?? value) : value),
    z.enum(SENSORS),
  )
  .meta({ description: 'What kind of data it is; spelling is exact, and 4D_Probe is taken for 4D_NEXUS' });
export const sha256Field = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, 'Input should be a SHA-256 digest in hexadecimal');
export const datasetNameField = z.string().trim().min(1).max(255);

/** Free parameters of a converter: an object, or its JSON text (forms). */
export const parametersField = z
  .union([z.record(z.string(), z.unknown()), z.string()])
  .default({})
  .transform((value, context): Record<string, unknown> => {
    if (typeof value !== 'string') return value;
    const parsed = parseObject(value);
    if (parsed !== undefined) return parsed;
    context.issues.push({ code: 'custom', message: 'Input should be a JSON object', input: value });
    return z.NEVER;
  })
  .meta({ type: 'object' });

/** What describes a dataset beside its name, sensor and owner. */
export const descriptionFields = {
  convert: booleanField.default(true),
  is_public: booleanField.default(false),
  is_public_downloadable: booleanField.default(false),
  folder: optionalText(255).meta({ description: 'Grouping for people; see docs/uploads.md' }),
  team_uuid: optionalText(255),
  tags: z
    .union([z.string().max(500), z.array(z.string()).transform((tags) => tags.join(','))])
    .nullish()
    .transform((tags) => tags ?? ''),
  unpack_nested: booleanField
    .default(false)
    .meta({ description: 'Archives inside archives are unpacked too, one level deep; see docs/archives.md' }),
  keep_archives: booleanField
    .default(true)
    .meta({ description: 'Archives stay beside what they held; false: removed when they are unpacked' }),
};

export const ignored = z.unknown().optional().meta({ description: 'Not read: the dataset has its own' });
/** The description beside a dataset that exists: clients that send a whole one each time may go on doing so. */
export const ignoredDescription = {
  name: ignored,
  sensor: ignored,
  convert: ignored,
  is_public: ignored,
  is_public_downloadable: ignored,
  folder: ignored,
  team_uuid: ignored,
  tags: ignored,
  unpack_nested: ignored,
  keep_archives: ignored,
  parameters: ignored,
} satisfies Record<keyof typeof descriptionFields | 'name' | 'sensor' | 'parameters', typeof ignored>;

/** Names divided by commas (forms), or a list. */
export const publishToField = z
  .union([z.string().max(1000), z.array(z.string().max(100)).max(20)])
  .nullish()
  .transform((value): readonly string[] => {
    const names = typeof value === 'string' ? value.split(',') : (value ?? []);
    return [...new Set(names.map((name) => name.trim()).filter((name) => name !== ''))];
  })
  .meta({
    description: 'Publish targets of this server that get the product too, by name; see docs/products.md',
  });

export const duplicatesField = z
  .enum(DUPLICATE_RULES)
  .default('keep')
  .meta({
    description:
      'When another dataset of the owner, or a public one, has the same bytes: `keep` them and say so, `link` them, or ' +
      '`ask`: a delivery that brings nothing new fails as `duplicate_found`',
  });

/** A new dataset in the words of the older clients (forms and JSON alike). */
export const sharedFields = z.object({
  user_email: emailField,
  dataset_name: datasetNameField,
  sensor: sensorField,
  ...descriptionFields,
  conversion_parameters: parametersField,
});
export type SharedFields = z.infer<typeof sharedFields>;

function parseObject(text: string): Record<string, unknown> | undefined {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
