// Who gets how much: the names of the limits, what each holds for, and which one is in force for an owner.
import type { FailureCode } from './failure.js';
import { Fault } from './fault.js';

/** What an owner may have; 0 = no limit. */
export const OWNER_LIMITS = [
  'bytes_per_second',
  'open_jobs',
  'open_uploads',
  'open_bytes',
  'stored_bytes',
  'transfers',
  'conversions',
] as const;
export type OwnerLimit = (typeof OWNER_LIMITS)[number];

/** Limits that somebody set, by name; a name that is missing is decided elsewhere. */
export type LimitValues = { readonly [K in OwnerLimit]?: number };
export type EffectiveLimits = { readonly [K in OwnerLimit]: number };

/** `global`: all together. `owners`: every owner who has none of its own. */
export type LimitScope = 'global' | 'owners' | `owner:${string}` | `job:${string}`;

export const ownerScope = (owner: string): LimitScope => `owner:${owner}`;
export const jobScope = (jobId: string): LimitScope => `job:${jobId}`;

/** What holds for an owner: its own, else those of every owner, else the settings. */
export function effectiveLimits(own: LimitValues, all: LimitValues, settings: LimitValues): EffectiveLimits {
  const pick = (name: OwnerLimit): number => own[name] ?? all[name] ?? settings[name] ?? 0;
  return Object.fromEntries(OWNER_LIMITS.map((name) => [name, pick(name)])) as EffectiveLimits;
}

/** A limit that does not allow what is wanted. */
export interface LimitReached {
  readonly limit: OwnerLimit;
  readonly most: number;
  readonly used: number;
}

const WORDS: Readonly<Record<OwnerLimit, { code: FailureCode; what: string }>> = {
  open_jobs: { code: 'too_many_open_jobs', what: 'open jobs' },
  open_uploads: { code: 'too_many_open_uploads', what: 'unfinished uploads' },
  open_bytes: { code: 'too_many_open_bytes', what: 'bytes on their way' },
  stored_bytes: { code: 'quota_reached', what: 'bytes, those on their way included' },
  transfers: { code: 'internal', what: 'transfers at once' },
  conversions: { code: 'internal', what: 'conversions at once' },
  bytes_per_second: { code: 'internal', what: 'bytes a second' },
};

/** The refusal, with the limit, the use, and what was wanted. */
export function limitFault(owner: string, reached: LimitReached, bytes: number): Fault {
  const { limit, most, used } = reached;
  const { code, what } = WORDS[limit];
  const more = limit.endsWith('_bytes') && bytes > 0 ? `, and this needs ${bytes} more` : '';
  return new Fault(code, `${owner} has ${used} of ${most} ${what}${more}.`, {
    facts: { limit, most, used },
  });
}
