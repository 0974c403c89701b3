// Making the files of a delivery known to others beside the fetch, when that is quick.
import { setTimeout as sleep } from 'node:timers/promises';

const NOTE_MS = 2_000;

/** A long list, or a database that is away, is left to the dataset's own patient activity. */
export async function noted(
  { noteDigests }: { readonly noteDigests?: (uuid: string) => Promise<void> },
  uuid: string,
): Promise<{ noted?: boolean }> {
  if (noteDigests === undefined) return {};
  const note = noteDigests(uuid).then(
    () => true,
    () => false,
  );
  return { noted: await Promise.race([note, sleep(NOTE_MS, false, { ref: false })]) };
}
