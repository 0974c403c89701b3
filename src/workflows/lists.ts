// The lists of what was delivered: made known to other datasets, and put into one before a run hands over.
import { log } from '@temporalio/workflow';
import { mergeDeliveries, noteDigests } from './proxies.js';
import type { DatasetRecord } from './record.js';

/** So many are handed over one by one; each takes about half a kilobyte. */
const SINGLE = 50;

/** Beside the stages, which do not wait for it; that the same bytes are elsewhere fails nobody. */
export async function noteFiles(uuid: string): Promise<void> {
  try {
    await noteDigests.executeWithOptions({ summary: 'Look for the same bytes in other datasets' }, [
      { uuid },
    ]);
  } catch (error) {
    log.warn('the files could not be noted', { error: String(error) });
  }
}

/** What is handed over must fit into a message. */
export async function mergeSingle(record: DatasetRecord): Promise<void> {
  const single = record.delivered().filter(({ merged }) => !merged);
  if (single.length <= SINGLE) return;
  const deliveries = record.deliveries();
  const merged = await mergeDeliveries.executeWithOptions(
    { summary: `Put ${deliveries.length} lists of files into one` },
    [{ uuid: record.uuid, deliveries }],
  );
  record.merge(
    single.map(({ jobId }) => jobId),
    merged,
  );
}
