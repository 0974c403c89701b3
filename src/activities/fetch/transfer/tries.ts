// Trying again: with growing pauses, as the source asks, and not for ever without a new byte.
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailureCode } from '../../../domain/failure.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import { type GivenUp, type RangeOpener, SourceChanged, TryAgain } from './port.js';

const LONGEST_PAUSE_MS = 10_000;
/** A source may ask for more; then the failure goes to Temporal, which waits without holding a slot. */
const LONGEST_RETRY_AFTER_MS = 60_000;

export interface TryLimits {
  readonly tries: number;
  readonly backOffMs: number;
}

/** Counts the tries in a row that brought nothing. */
export class Tries {
  private readonly limits: TryLimits;
  private readonly opener: Giver;
  private inVain: TryAgain['how'][] = [];

  constructor(limits: TryLimits, opener: Giver) {
    this.limits = limits;
    this.opener = opener;
  }

  /** A new byte has come. */
  advanced(): void {
    this.inVain = [];
  }

  /**
   * Waits before the next try.
   * @throws the error itself when trying again cannot help; Fault `url_broken`, `url_short`, `url_not_found` or the
   *   opener's own codes when there were too many tries in vain
   */
  async next(error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof TryAgain)) throw error;
    this.inVain.push(error.how);
    if (this.inVain.length >= this.limits.tries) throw this.verdict(error);
    if ((error.afterMs ?? 0) > LONGEST_RETRY_AFTER_MS) throw this.verdict(error);
    const pause = Math.min(this.limits.backOffMs * 2 ** (this.inVain.length - 1), LONGEST_PAUSE_MS);
    await sleep(Math.max(pause * (0.75 + Math.random() / 2), error.afterMs ?? 0), undefined, { signal });
  }

  private verdict(cause: TryAgain): Fault {
    const times = `${this.inVain.length} tries in a row`;
    const { host } = this.opener;
    const only = (one: GivenUp): boolean => this.inVain.every((how) => how === one);
    if (only('short'))
      return givenUp(this.opener, 'short', `The server ${host} ended early in ${times}.`, cause);
    if (only('unknown host')) return givenUp(this.opener, 'unknown host', `There is no host ${host}.`, cause);
    return givenUp(this.opener, 'broken', `The transfer from ${host} broke in ${times}.`, cause);
  }
}

type Giver = Pick<RangeOpener, 'host' | 'codes'>;

const CODES: Readonly<Record<GivenUp, FailureCode>> = {
  short: 'url_short',
  broken: 'url_broken',
  'unknown host': 'url_not_found',
  changed: 'url_changed',
};

/** The failure of an opener that nothing more is expected of. */
export function givenUp({ codes }: Giver, why: GivenUp, say: string | undefined, cause: unknown): Fault {
  return new Fault(codes?.[why] ?? CODES[why], say, { cause });
}

/** What an error of the connection means. Errors that carry a meaning already pass. */
export function connectionError(error: unknown): unknown {
  if (error instanceof TryAgain || error instanceof SourceChanged) return error;
  const fault = faultOf(error);
  if (fault !== undefined) return fault;
  const code = codeOf(error);
  if (code === 'ENOTFOUND') return new TryAgain('unknown host', { cause: error });
  // The server closed in order, before the length that it had announced.
  const short =
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' || /other side closed|terminated/.test(messageOf(error));
  return new TryAgain(short ? 'short' : 'broken', { cause: error });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : '';
}
