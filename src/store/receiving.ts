// Uploads whose bytes still come from a client.
import { UPLOAD_FINAL } from '../domain/upload.js';
import type { Store } from './mongo.js';

/** How many there are, and how many bytes of them have come. */
export async function countReceiving(store: Store): Promise<{ uploads: number; bytes: number }> {
  const [sum] = await store.jobs
    .aggregate<{ uploads: number; bytes: number }>([
      {
        $match: {
          source_type: { $in: ['received', 'awaited'] },
          upload_status: { $nin: [...UPLOAD_FINAL, 'processing'] },
        },
      },
      { $group: { _id: null, uploads: { $sum: 1 }, bytes: { $sum: '$bytes_uploaded' } } },
    ])
    .toArray();
  return { uploads: sum?.uploads ?? 0, bytes: sum?.bytes ?? 0 };
}
