// One gate for all requests of a transfer: when Google asks to slow down, all of them wait, each time longer.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../../domain/fault.js';
import type { Again } from './refusal.js';

const LONGEST_PAUSE_MS = 32_000;
/** A request may be asked to slow down so often: about three minutes, more than the minute that Google counts in. */
const SLOWER_TRIES = 10;
const BROKEN_TRIES = 8;
/** Waits are cut into such parts, between which life is told. */
const PART_MS = 5_000;

export interface GateSettings {
  /** First pause, ms. */
  readonly backOffMs: number;
  readonly signal: AbortSignal;
  /** Called while requests wait. */
  waits(): void;
}

export class Gate {
  private readonly settings: GateSettings;
  private openAt = 0;
  private pause = 0;
  private closedAt = 0;

  constructor(settings: GateSettings) {
    this.settings = settings;
  }

  /** Until requests may go on. @throws the signal's reason */
  async pass(): Promise<void> {
    const { signal, waits } = this.settings;
    for (let left = this.openAt - Date.now(); left > 0; left = this.openAt - Date.now()) {
      waits();
      await sleep(Math.min(left, PART_MS), undefined, { signal });
    }
    this.throwIfAborted();
  }

  throwIfAborted(): void {
    this.settings.signal.throwIfAborted();
  }

  /** A request that began then came through. */
  passed(since: number): void {
    if (since > this.closedAt) this.pause = 0;
  }

  /** Google asked a request that began then to come later. Several that began together count as one. */
  close(since: number, afterMs = 0): void {
    if (since < this.closedAt && afterMs === 0) return;
    this.pause = Math.min(Math.max(this.settings.backOffMs, this.pause * 2), LONGEST_PAUSE_MS);
    this.closedAt = Date.now();
    const wait = Math.max(this.pause * (0.75 + Math.random() / 2), afterMs);
    this.openAt = Math.max(this.openAt, Date.now() + wait);
  }
}

/** Counts what one request met. */
export class Patience {
  private readonly met = { token: 0, slower: 0, broken: 0 };
  private readonly thing: string;

  constructor(thing: string) {
    this.thing = thing;
  }

  /** @throws Fault when it is enough */
  next({ again, why = 'no answer' }: Again, cause: unknown): void {
    this.met[again] += 1;
    if (again === 'token' && this.met.token > 1) {
      throw new Fault('drive_denied', `Google refuses a new token too, for ${this.thing}.`, { cause });
    }
    if (this.met.slower > SLOWER_TRIES) {
      throw new Fault(
        'drive_broken',
        `Google asked ${this.met.slower} times to slow down, for ${this.thing}.`,
        { cause },
      );
    }
    if (this.met.broken > BROKEN_TRIES) {
      throw new Fault(
        'drive_broken',
        `Google Drive failed ${this.met.broken} times in a row, for ${this.thing} (${why}).`,
        { cause },
      );
    }
  }
}
