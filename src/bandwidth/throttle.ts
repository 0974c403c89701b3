// One limit on bytes a second that several share: whoever waits is served in turn, and the limit may change meanwhile.

/** As many bytes as this time allows may come at once after a rest. */
const REST_MS = 250;
/** Waits are looked at again after this time at the latest. */
const LOOK_MS = 100;

interface Waiter {
  readonly bytes: number;
  go(): void;
}

/** A limit in force. */
export class Throttle {
  #rate: number;
  /** Bytes that may go now; below zero while the last ones are paid for. */
  #credit = 0;
  #at = performance.now();
  /** Those who wait, each with its own line; the first in the map is served next. */
  readonly #lines = new Map<string, Waiter[]>();
  #timer: NodeJS.Timeout | undefined;

  /** @param rate bytes a second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Holds from now on, also for those who wait. */
  setRate(rate: number): void {
    if (rate === this.#rate) return;
    this.#refill();
    this.#rate = rate;
    this.#serve();
  }

  /**
   * Waits until so many more bytes may go.
   * @param who those of one name share one turn
   * @throws the signal's reason
   */
  async take(who: string, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#refill();
    if (this.#lines.size === 0 && this.#credit > 0) {
      this.#credit -= bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#drop(who, waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        bytes,
        go: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#lines.set(who, [...(this.#lines.get(who) ?? []), waiter]);
      this.#serve();
    });
  }

  #refill(): void {
    const now = performance.now();
    const most = (this.#rate * REST_MS) / 1000;
    this.#credit = Math.min(most, this.#credit + (this.#rate * (now - this.#at)) / 1000);
    this.#at = now;
  }

  /** Serves one of each line after the other while there is credit; looks again when there is some. */
  #serve(): void {
    clearTimeout(this.#timer);
    this.#refill();
    for (const [who, line] of this.#lines) {
      if (this.#credit <= 0) break;
      const [first, ...rest] = line;
      this.#lines.delete(who);
      // Set again, it stands behind the others, and the loop comes to it once more.
      if (rest.length > 0) this.#lines.set(who, rest);
      this.#credit -= first?.bytes ?? 0;
      first?.go();
    }
    if (this.#lines.size === 0) return;
    const wait = Math.min(LOOK_MS, Math.max(1, (-this.#credit / this.#rate) * 1000));
    this.#timer = setTimeout(() => this.#serve(), wait);
  }

  #drop(who: string, waiter: Waiter): void {
    const rest = (this.#lines.get(who) ?? []).filter((one) => one !== waiter);
    if (rest.length > 0) this.#lines.set(who, rest);
    else this.#lines.delete(who);
  }
}
