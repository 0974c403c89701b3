// Whether the bytes that an upload waits for have come, or no more will come in time.
import { isCancelled } from '../../bytes/cancelled.js';
import { lastByteAt } from '../../bytes/last-byte.js';
import type { Roots } from '../../bytes/layout.js';
import { readReceived, totals } from '../../bytes/receive.js';
import type { LookInput, LookOutput } from '../../contracts/activities.js';
import { Fault } from '../../domain/fault.js';
import type { Store } from '../../store/mongo.js';
import { closeWriter, releaseWriter, takeWriter } from '../../store/writers.js';

const ME = 'expiry';
/** A client that is sending renews its lease more often; then there is time. */
const SOON_MS = 15_000;

interface LookDeps {
  readonly store: Store;
  readonly roots: Roots;
}

/**
 * Takes the writer's lease to look, so that no byte comes between the look and the end of the upload.
 * @throws Fault `cancelled` when it was cancelled before its run was started once more
 */
export async function lookAtUpload({ store, roots }: LookDeps, input: LookInput): Promise<LookOutput> {
  const { uuid, jobId, expiresAfterMs, since } = input;
  if (uuid !== undefined && (await isCancelled(roots, uuid, jobId))) throw new Fault('cancelled');
  const received = await readReceived(roots, jobId);
  if (received !== undefined) return { state: 'whole', source: { kind: 'received', ...totals(received) } };
  const leftMs = async (): Promise<number> =>
    Math.max(since, await lastByteAt(roots, jobId)) + expiresAfterMs - Date.now();
  const left = await leftMs();
  if (left > 0) return { state: 'waiting', leftMs: left };
  const claim = await takeWriter(store, jobId, ME);
  if (claim.state === 'closed') return { state: 'expired' };
  if (claim.state === 'held') return { state: 'waiting', leftMs: SOON_MS };
  const still = await leftMs();
  if (still > 0) {
    await releaseWriter(store, jobId, { holder: ME, fence: claim.fence });
    return { state: 'waiting', leftMs: still };
  }
  await closeWriter(store, jobId);
  return { state: 'expired' };
}
