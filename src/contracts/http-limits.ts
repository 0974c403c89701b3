// HTTP bodies about limits: what is set, what holds for an owner, and what the owner has open and stored.
import { z } from 'zod';
import { OWNER_LIMITS, type OwnerLimit } from '../domain/limits.js';

const MEANING: Readonly<Record<OwnerLimit, string>> = {
  bytes_per_second: 'Bytes that transfers may move in a second, together, over all workers',
  open_jobs: 'Jobs that have not ended',
  open_uploads: 'Uploads that clients have not finished sending',
  open_bytes: 'Bytes that are on their way',
  stored_bytes: 'Bytes that were received, and those on their way',
  transfers: 'Transfers that run at once, over all workers',
  conversions: 'Datasets that are unpacked or converted at once, over all workers',
};

const most = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const perName = <T extends z.ZodType>(make: (name: OwnerLimit) => T) =>
  Object.fromEntries(OWNER_LIMITS.map((name) => [name, make(name)])) as Record<OwnerLimit, T>;

const change = (name: OwnerLimit) =>
  most.nullish().meta({ description: `${MEANING[name]}; 0 = no limit, null = as if it had never been set` });
const by = z.string().max(254).optional().meta({ description: 'Who changes it' });

export const changeOwnerLimitsSchema = z
  .strictObject({ ...perName(change), by })
  .meta({ id: 'ChangeOwnerLimits', description: 'Only the limits that are named change' });
export const changeBandwidthSchema = z
  .strictObject({ bytes_per_second: change('bytes_per_second'), by })
  .meta({ id: 'ChangeBandwidth' });
export type ChangeLimits = z.input<typeof changeOwnerLimitsSchema>;

const valuesSchema = z.object(perName((name) => most.optional().meta({ description: MEANING[name] })));

export const limitSchema = z
  .object({
    scope: z.enum(['global', 'owners', 'owner', 'job']),
    name: z.string().nullable().meta({ description: 'The owner, or the job id' }),
    values: valuesSchema,
  })
  .meta({ id: 'Limit' });
export type LimitResource = z.infer<typeof limitSchema>;

export const limitListSchema = z
  .object({
    settings: valuesSchema.meta({ description: 'What every owner has without anything set here' }),
    limits: z.array(limitSchema),
  })
  .meta({ id: 'LimitList' });
export type LimitList = z.infer<typeof limitListSchema>;

export const ownerLimitsSchema = z
  .object({
    owner: z.string(),
    limits: z.object(perName((name) => most.meta({ description: `${MEANING[name]}; 0 = no limit` }))),
    set: valuesSchema.meta({ description: 'Those of its own' }),
    use: z.object({ open_jobs: z.int(), open_uploads: z.int(), open_bytes: z.int(), stored_bytes: z.int() }),
  })
  .meta({ id: 'OwnerLimits' });
export type OwnerLimits = z.infer<typeof ownerLimitsSchema>;
