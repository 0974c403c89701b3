// Many deliveries become one before a run hands over: what it hands over must fit into a message.
import { mergeDeliveries } from './proxies.js';
import type { DatasetRecord } from './record.js';

/** So many are handed over one by one; each takes about half a kilobyte. */
const SINGLE = 50;

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
