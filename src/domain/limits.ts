// Who gets how much: the names of the limits, what each holds for, and which one is in force for an owner.

/** What an owner may have; 0 = no limit. */
export const OWNER_LIMITS = [
  'bytes_per_second',
  'open_jobs',
  'open_uploads',
  'open_bytes',
  'stored_bytes',
  'transfers',
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
