// Several of many pieces of work at once.

/** Does all of it, `width` at a time; after a failure nothing more begins, and what runs is waited for. */
export async function several<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failed = false;
  const one = async (): Promise<void> => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: width }, one));
  const bad = ends.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
  if (bad !== undefined) throw bad.reason;
}
