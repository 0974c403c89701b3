// What a pull turns out to need is taken from what its owner may have, as soon as its source tells it.
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

/** @throws Fault quota_reached */
export type Admit = (pull: Pull, bytes: number) => Promise<void>;

const PATIENCE_MS = 5_000;

/** While the database is away everything is let in: a transfer that runs is not ended by that. */
export function createAdmission({ store, settings, log }: AdmissionDeps): Admit {
  async function ask({ jobId, owner }: Pull, bytes: number) {
    const found = await readLimits(store, [ownerScope(owner), 'owners']);
    const own = found.get(ownerScope(owner)) ?? {};
    const { stored_bytes } = effectiveLimits(own, found.get('owners') ?? {}, settings);
    return stored_bytes === 0 ? undefined : await reserveMore(store, owner, { jobId, bytes, stored_bytes });
  }
  return async (pull, bytes) => {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS, undefined).unref());
    const asked = ask(pull, bytes).catch((error: unknown) => {
      log('what an owner may have could not be asked for', { job: pull.jobId, error: String(error) });
      return undefined;
    });
    const reached = await Promise.race([asked, late]);
    if (reached !== undefined) throw limitFault(pull.owner, reached, bytes);
  };
}
