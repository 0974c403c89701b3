// Limits on bandwidth as they hold now: for a job, for its owner, for all together, over all processes.

import { effectiveLimits, jobScope, type LimitScope, ownerScope } from '../domain/limits.js';
import { allowManyListeners } from '../net/many-listeners.js';
import { isBandwidthLimited, leaveLimits, readLimits, shareLimits } from '../store/limits.js';
import type { Store } from '../store/mongo.js';
import { Throttle } from './throttle.js';

export interface BandwidthDeps {
  readonly store: Store;
  /** Name of this process. */
  readonly holder: string;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
  /** How often the limits are read, ms; default 700. */
  readonly everyMs?: number;
  /**
   * A transfer that starts does not read them when none was set a moment ago: for processes that begin very many.
   */
  readonly trusts?: boolean;
}

/** A transfer that moves bytes. */
export interface Transfer {
  readonly jobId: string;
  /** Left out: not known (yet), only the limits of all together and of the job hold. */
  readonly owner: string | undefined;
  readonly signal: AbortSignal;
  /** Called now and then while it waits. */
  alive(): void;
}

export interface Joined {
  /** Waits until so many more bytes may go. */
  pace(bytes: number): Promise<void>;
  /** It need not wait at the moment. */
  isFree(): boolean;
  leave(): void;
}

export interface Bandwidth {
  /** Counts the transfer in; `leave` when it has ended. */
  join(transfer: Transfer): Joined;
  /** A limit was changed by this process: what it knows is old. */
  changed(): void;
  close(): Promise<void>;
}

const EVERY_MS = 700;
/** What came of a limit stays with it so long after its last transfer, and the limits are read on: others follow. */
const LINGER_MS = 5_000;
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
  /** When the limits were read last, performance.now(). */
  #readAt = Number.NEGATIVE_INFINITY;
  #isAnySet = true;
  /** When each limit had its last transfer, and when there was any. */
  readonly #usedAt = new Map<LimitScope, number>();
  #busyAt = Number.NEGATIVE_INFINITY;

  constructor(deps: BandwidthDeps) {
    this.#deps = deps;
  }

  join(transfer: Transfer): Joined {
    this.#transfers.add(transfer);
    const { jobId, signal } = transfer;
    // Each stream of a transfer may wait.
    allowManyListeners(signal);
    const scopes = scopesOf(transfer);
    let known: Promise<void> | undefined;
    if (!this.#needNotAsk()) {
      known = this.#knownSoon().then(() => {
        known = undefined;
      });
    }
    const pace = async (bytes: number): Promise<void> => {
      if (known !== undefined) await known;
      if (this.#throttles.size === 0) return;
      for (const scope of scopes) {
        const throttle = this.#throttles.get(scope);
        if (throttle !== undefined) await whileAlive(transfer, throttle.take(jobId, bytes, signal));
      }
    };
    const isFree = (): boolean =>
      known === undefined && (this.#throttles.size === 0 || !scopes.some((one) => this.#throttles.has(one)));
    return { pace, isFree, leave: () => void this.#transfers.delete(transfer) };
  }

  changed(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
    if (this.#transfers.size > 0) void this.#knownSoon();
  }

  async close(): Promise<void> {
    this.#transfers.clear();
    clearTimeout(this.#timer);
    await this.#reading;
    clearTimeout(this.#timer);
    if (this.#shares) await leaveLimits(this.#deps.store, this.#deps.holder).catch(() => undefined);
  }

  #needNotAsk(): boolean {
    const { trusts = false, everyMs = EVERY_MS } = this.#deps;
    return trusts && !this.#isAnySet && performance.now() - this.#readAt < 2 * everyMs;
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
        if (this.#transfers.size > 0) this.#busyAt = performance.now();
        else if (!this.#shares && performance.now() - this.#busyAt > LINGER_MS) return;
        this.#timer = setTimeout(() => void this.#round(), this.#deps.everyMs ?? EVERY_MS);
        this.#timer.unref();
      });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const at = performance.now();
    const counts = countsOf(this.#transfers);
    for (const scope of counts.keys()) this.#usedAt.set(scope, at);
    const { store, holder } = this.#deps;
    const isAnySet = await isBandwidthLimited(store);
    const rateOf = isAnySet ? await this.#rates([...counts.keys()]) : () => 0;
    const limited = new Map([...counts].filter(([scope]) => rateOf(scope) > 0));
    // Also once with nothing, so that the others have it all again.
    const sums = limited.size > 0 || this.#shares ? await shareLimits(store, holder, limited) : limited;
    this.#shares = limited.size > 0;
    for (const [scope, mine] of limited)
      this.#hold(scope, (rateOf(scope) * mine) / (sums.get(scope) ?? mine));
    for (const scope of this.#throttles.keys()) {
      // Between two requests of one client it is kept, so that the second pays for the bytes of the first.
      const isBetween = isAnySet && !counts.has(scope) && at - (this.#usedAt.get(scope) ?? 0) < LINGER_MS;
      if (!limited.has(scope) && !isBetween) this.#free(scope);
    }
    for (const [scope, usedAt] of this.#usedAt) if (at - usedAt > LINGER_MS) this.#usedAt.delete(scope);
    this.#isAnySet = isAnySet;
    this.#readAt = at;
  }

  /** Bytes a second of each; 0 = no limit. */
  async #rates(scopes: readonly LimitScope[]): Promise<(scope: LimitScope) => number> {
    const found = await readLimits(this.#deps.store, [...scopes, 'owners']);
    const all = found.get('owners') ?? {};
    return (scope) => {
      const own = found.get(scope) ?? {};
      if (!scope.startsWith('owner:')) return own.bytes_per_second ?? 0;
      return effectiveLimits(own, all, {}).bytes_per_second;
    };
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

const scopesOf = ({ jobId, owner }: Transfer): readonly LimitScope[] => [
  jobScope(jobId),
  ...(owner === undefined ? [] : [ownerScope(owner)]),
  'global',
];

function countsOf(transfers: ReadonlySet<Transfer>): Map<LimitScope, number> {
  const counts = new Map<LimitScope, number>();
  for (const transfer of transfers) {
    for (const scope of scopesOf(transfer)) counts.set(scope, (counts.get(scope) ?? 0) + 1);
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
