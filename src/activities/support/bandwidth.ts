// Limits on bandwidth as they hold now: for a job, for its owner, for all together, over all processes.

import { Throttle } from '../../bytes/throttle.js';
import { effectiveLimits, jobScope, type LimitScope, ownerScope } from '../../domain/limits.js';
import { allowManyListeners } from '../../net/many-listeners.js';
import { leaveLimits, readLimits, shareLimits } from '../../store/limits.js';
import type { Store } from '../../store/mongo.js';

export interface BandwidthDeps {
  readonly store: Store;
  /** Name of this process. */
  readonly holder: string;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
  /** How often the limits are read, ms; default 700. */
  readonly everyMs?: number;
}

/** A transfer that moves bytes. */
export interface Transfer {
  readonly jobId: string;
  readonly owner: string;
  readonly signal: AbortSignal;
  /** Called now and then while it waits. */
  alive(): void;
}

export interface Bandwidth {
  /** Counts the transfer in; `leave` when it has ended. */
  join(transfer: Transfer): { pace(bytes: number): Promise<void>; leave(): void };
  close(): Promise<void>;
}

const EVERY_MS = 700;
/** No transfer waits longer for its limits to be known at its start. */
const FIRST_MS = 1_000;
const ALIVE_MS = 2_000;

export const createBandwidth = (deps: BandwidthDeps): Bandwidth => new SharedBandwidth(deps);

class SharedBandwidth implements Bandwidth {
  readonly #deps: BandwidthDeps;
  readonly #transfers = new Set<Transfer>();
  readonly #throttles = new Map<LimitScope, Throttle>();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #shares = false;

  constructor(deps: BandwidthDeps) {
    this.#deps = deps;
  }

  join(transfer: Transfer) {
    this.#transfers.add(transfer);
    const { jobId, owner, signal } = transfer;
    // Each stream of a transfer may wait.
    allowManyListeners(signal);
    const scopes = [jobScope(jobId), ownerScope(owner), 'global'] as const;
    let known: Promise<void> | undefined = this.#knownSoon().then(() => {
      known = undefined;
    });
    const pace = async (bytes: number): Promise<void> => {
      if (known !== undefined) await known;
      if (this.#throttles.size === 0) return;
      for (const scope of scopes) {
        const throttle = this.#throttles.get(scope);
        if (throttle !== undefined) await whileAlive(transfer, throttle.take(jobId, bytes, signal));
      }
    };
    return { pace, leave: () => void this.#transfers.delete(transfer) };
  }

  async close(): Promise<void> {
    this.#transfers.clear();
    clearTimeout(this.#timer);
    await this.#reading;
    clearTimeout(this.#timer);
    if (this.#shares) await leaveLimits(this.#deps.store, this.#deps.holder).catch(() => undefined);
  }

  /** Reads now, so that a transfer's first bytes keep its limits too; without a database it goes on soon. */
  #knownSoon(): Promise<void> {
    const read = (this.#reading ?? Promise.resolve()).then(() => this.#round());
    return Promise.race([read, new Promise<void>((resolve) => setTimeout(resolve, FIRST_MS).unref())]);
  }

  #round(): Promise<void> {
    clearTimeout(this.#timer);
    this.#reading ??= this.#read()
      .catch((error: unknown) => {
        // What was known last holds on.
        this.#deps.log('the limits on bandwidth could not be read', { error: String(error) });
      })
      .finally(() => {
        this.#reading = undefined;
        if (this.#transfers.size === 0 && !this.#shares) return;
        this.#timer = setTimeout(() => void this.#round(), this.#deps.everyMs ?? EVERY_MS);
        this.#timer.unref();
      });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const counts = countsOf(this.#transfers);
    const { store, holder } = this.#deps;
    const found = await readLimits(store, [...counts.keys(), 'owners']);
    const all = found.get('owners') ?? {};
    const rateOf = (scope: LimitScope): number => {
      const own = found.get(scope) ?? {};
      if (!scope.startsWith('owner:')) return own.bytes_per_second ?? 0;
      return effectiveLimits(own, all, {}).bytes_per_second;
    };
    const limited = new Map([...counts].filter(([scope]) => rateOf(scope) > 0));
    // Also once with nothing, so that the others have it all again.
    const sums = limited.size > 0 || this.#shares ? await shareLimits(store, holder, limited) : limited;
    this.#shares = limited.size > 0;
    for (const [scope, mine] of limited)
      this.#hold(scope, (rateOf(scope) * mine) / (sums.get(scope) ?? mine));
    for (const scope of this.#throttles.keys()) if (!limited.has(scope)) this.#free(scope);
  }

  #hold(scope: LimitScope, rate: number): void {
    const throttle = this.#throttles.get(scope);
    if (throttle === undefined) this.#throttles.set(scope, new Throttle(rate));
    else throttle.setRate(rate);
  }

  #free(scope: LimitScope): void {
    this.#throttles.get(scope)?.setRate(Number.MAX_SAFE_INTEGER);
    this.#throttles.delete(scope);
  }
}

function countsOf(transfers: ReadonlySet<Transfer>): Map<LimitScope, number> {
  const counts = new Map<LimitScope, number>();
  for (const { jobId, owner } of transfers) {
    for (const scope of [jobScope(jobId), ownerScope(owner), 'global'] as const)
      counts.set(scope, (counts.get(scope) ?? 0) + 1);
  }
  return counts;
}

/** A transfer that waits for its turn is no dead one. */
async function whileAlive({ alive }: Transfer, waiting: Promise<void>): Promise<void> {
  const timer = setInterval(alive, ALIVE_MS);
  try {
    await waiting;
  } finally {
    clearInterval(timer);
  }
}
