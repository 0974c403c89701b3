// What a pull turns out to need is taken from what its owner may have, as soon as its source tells it.
import { Fault, faultOf } from '../../domain/fault.js';
import { effectiveLimits, type LimitValues, limitFault, ownerScope } from '../../domain/limits.js';
import { readLimits } from '../../store/limits.js';
import type { Store } from '../../store/mongo.js';
import { reserveMore } from '../../store/usage.js';

export interface AdmissionDeps {
  readonly store: Store;
  /** What every owner may have who has no limits of its own. */
  readonly settings: LimitValues;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
}

export interface Pull {
  readonly jobId: string;
  readonly owner: string;
}

/** @throws Fault quota_reached, too_many_open_bytes (see roomWanted) */
export type Admit = (pull: Pull, bytes: number) => Promise<void>;

const PATIENCE_MS = 5_000;

/** While the database is away everything is let in: a transfer that runs is not ended by that. */
export function createAdmission({ store, settings, log }: AdmissionDeps): Admit {
  async function ask({ jobId, owner }: Pull, bytes: number) {
    const found = await readLimits(store, [ownerScope(owner), 'owners']);
    const own = found.get(ownerScope(owner)) ?? {};
    const { stored_bytes, open_bytes } = effectiveLimits(own, found.get('owners') ?? {}, settings);
    if (stored_bytes === 0 && open_bytes === 0) return undefined;
    return await reserveMore(store, owner, { jobId, bytes, stored_bytes, open_bytes });
  }
  return async (pull, bytes) => {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS, undefined).unref());
    const asked = ask(pull, bytes).catch((error: unknown) => {
      log('what an owner may have could not be asked for', { job: pull.jobId, error: String(error) });
      return undefined;
    });
    const reached = await Promise.race([asked, late]);
    if (reached === undefined) return;
    const fault = limitFault(pull.owner, reached, bytes);
    const fits = reached.limit === 'open_bytes' && bytes <= reached.most;
    throw fits ? new Fault(fault.code, fault.message, { facts: { ...fault.facts, [WANTED]: bytes } }) : fault;
  };
}

/** Bytes for which there is room when others of the owner have ended, so that the pull may wait for it. */
export function roomWanted(error: unknown): number | undefined {
  const wanted = faultOf(error)?.facts[WANTED];
  return typeof wanted === 'number' ? wanted : undefined;
}

const WANTED = 'room_wanted';
