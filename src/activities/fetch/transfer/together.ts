// The same work several times at once, as one piece of work.

/** Runs the same work several times at once. The first failure stops the others, and all have ended when it is thrown. */
export async function together(
  count: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const failures: unknown[] = [];
  const one = async (): Promise<void> => {
    try {
      await work(AbortSignal.any([signal, stop.signal]));
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: count }, one));
  if (failures.length > 0) throw failures[0];
}
