// Several pieces of work at once, as one piece of work.
import { setMaxListeners } from 'node:events';

/** The first failure stops the others, and all have ended when it is thrown. */
export async function together(
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const failures: unknown[] = [];
  const joined = AbortSignal.any([signal, stop.signal]);
  // Each request in flight listens.
  setMaxListeners(0, joined);
  const one = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await work(joined);
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    }
  };
  await Promise.all(works.map(one));
  if (failures.length > 0) throw failures[0];
}
