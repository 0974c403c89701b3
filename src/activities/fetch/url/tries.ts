// Trying again: with growing pauses, as the server asks, and not for ever without a new byte.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../../domain/fault.js';
import { TryAgain } from './answer.js';

const LONGEST_PAUSE_MS = 10_000;
/** A server may ask for more; then the failure goes to Temporal, which waits without holding a slot. */
const LONGEST_RETRY_AFTER_MS = 60_000;

export interface TryLimits {
  readonly tries: number;
  readonly backOffMs: number;
}

/** Counts the tries in a row that brought nothing. */
export class Tries {
  private readonly limits: TryLimits;
  private readonly host: string;
  private inVain: TryAgain['how'][] = [];

  constructor(limits: TryLimits, host: string) {
    this.limits = limits;
    this.host = host;
  }

  /** A new byte has come. */
  advanced(): void {
    this.inVain = [];
  }

  /**
   * Waits before the next try.
   * @throws the error itself when trying again cannot help; Fault `url_broken`, `url_short` or `url_not_found`
   *   when there were too many tries in vain
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
    if (this.inVain.every((how) => how === 'short')) {
      return new Fault('url_short', `The server ${this.host} ended early in ${times}.`, { cause });
    }
    if (this.inVain.every((how) => how === 'unknown host')) {
      return new Fault('url_not_found', `There is no host ${this.host}.`, { cause });
    }
    return new Fault('url_broken', `The transfer from ${this.host} broke in ${times}.`, { cause });
  }
}

/** What an error of the connection means. Errors that carry a meaning already pass. */
export function connectionError(error: unknown): unknown {
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
