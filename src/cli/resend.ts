// What follows when a delivery did not simply succeed: a table, apart from everything that acts.

/** What became of one try to deliver. */
export type Outcome =
  /** Nothing listens: the server restarts, or is away. */
  | { readonly kind: 'unreachable' }
  /** The connection broke before the answer: whether the server has everything is not known. */
  | { readonly kind: 'lost' }
  /** The server answered with a problem. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string }
  /** The server had accepted, but the upload failed afterwards. */
  | { readonly kind: 'failed'; readonly code: string };

export type Step =
  /** The same request under the same Idempotency-Key. `counts`: it is one of the resends. */
  | { readonly do: 'repeat'; readonly counts: boolean }
  /** A new request into the same dataset that replaces the failed upload. */
  | { readonly do: 'replace' }
  | { readonly do: 'give up' };

export const MAX_RESENDS = 5;

const repeat = (counts: boolean): Step => ({ do: 'repeat', counts });
const GIVE_UP: Step = { do: 'give up' };

/**
 * @param resends how often the bytes were sent again already
 * Waiting for a server does not count as a resend: its own limit is time.
 */
export function nextStep(outcome: Outcome, resends: number): Step {
  const mayResend = resends < MAX_RESENDS;
  switch (outcome.kind) {
    case 'unreachable':
      return repeat(false);
    case 'lost':
      return mayResend ? repeat(true) : GIVE_UP;
    case 'refused':
      return afterRefusal(outcome, mayResend);
    case 'failed':
      return outcome.code === 'upload_interrupted' && mayResend ? { do: 'replace' } : GIVE_UP;
  }
}

const LATER_STATUS = [429, 502, 503, 504];

function afterRefusal({ status, code }: { status: number; code: string }, mayResend: boolean): Step {
  // The first try under this key still counts as running on the server: its lease ends within half a minute.
  if (code === 'idempotency_running') return repeat(false);
  if (code === 'upload_interrupted') return mayResend ? repeat(true) : GIVE_UP;
  return LATER_STATUS.includes(status) ? repeat(false) : GIVE_UP;
}

/** Milliseconds before the nth try in a row: 1, 2, 4, then 5 s. */
export const backOff = (tries: number): number => Math.min(1_000 * 2 ** tries, 5_000);
