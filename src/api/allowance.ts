// What an owner may have open and stored: asked at the one gate of all uploads, before anything is written.
import { type EffectiveLimits, effectiveLimits, limitFault, ownerScope } from '../domain/limits.js';
import { readLimits } from '../store/limits.js';
import { type Reservation, release, reserve, settle } from '../store/usage.js';
import type { ApiDeps } from './deps.js';

/** What holds for an owner now. */
export async function limitsOf({ store, config }: ApiDeps, owner: string): Promise<EffectiveLimits> {
  const found = await readLimits(store, [ownerScope(owner), 'owners']);
  return effectiveLimits(found.get(ownerScope(owner)) ?? {}, found.get('owners') ?? {}, config.owners ?? {});
}

/**
 * Takes what the upload needs from what its owner may have; `record` makes its row, and when that fails it is given back.
 * @throws Fault too_many_open_jobs, too_many_open_uploads, too_many_open_bytes, quota_reached
 */
export async function withinLimits<T>(
  deps: ApiDeps,
  owner: string,
  wanted: Reservation,
  record: () => Promise<T>,
): Promise<T> {
  const { store, log } = deps;
  const limits = await limitsOf(deps, owner);
  const isLimited = [limits.open_jobs, limits.open_uploads, limits.open_bytes, limits.stored_bytes].some(
    Boolean,
  );
  if (!isLimited) return await record();
  const refused = await reserve(store, owner, wanted, limits);
  if (refused !== undefined) throw limitFault(owner, refused, wanted.bytes);
  // What is not given back or settled here is found by the next count.
  const quietly = (work: Promise<void>): void =>
    void work.catch((error: unknown) => log.warn({ err: error, owner }, 'a reservation could not be ended'));
  try {
    const recorded = await record();
    quietly(settle(store, owner, wanted.jobId));
    return recorded;
  } catch (error) {
    quietly(release(store, owner, wanted));
    throw error;
  }
}
