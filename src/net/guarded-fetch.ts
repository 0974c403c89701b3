// The web's `fetch` through the URL guard, for libraries that take one of their own.
import { Agent, fetch } from 'undici';
import type { HttpOptions } from './http.js';
import { createUrlGuard } from './url-guard.js';

/** Follows no redirect, so that what a library adds to its requests goes nowhere else. */
export function createGuardedFetch({ allow, stallMs = 30_000 }: HttpOptions): typeof globalThis.fetch {
  const guard = createUrlGuard(allow);
  const agent = new Agent({ connect: guard.connector, headersTimeout: stallMs, bodyTimeout: stallMs });
  const guarded = async (input: string | URL, init: RequestInit = {}): Promise<unknown> => {
    // A signal without a limit of listeners (setMaxListeners 0) is none to Node 20: getMaxListeners throws on it.
    const signal = init.signal ? AbortSignal.any([init.signal]) : null;
    const asked = { ...init, signal, dispatcher: agent, redirect: 'error' };
    return await fetch(guard.check(input), asked as Parameters<typeof fetch>[1]);
  };
  // Two declarations of one standard: Node's own and the one of the same library as a package.
  return guarded as unknown as typeof globalThis.fetch;
}
