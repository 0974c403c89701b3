// Which task queues are served: all three are needed for a dataset to come to its end.
import { QUEUES } from '../domain/ids.js';
import { movedSince } from '../store/progress-read.js';
import type { ApiDeps } from './deps.js';
import { POLLER_AGE_MS, type QueuesServed } from './engine.js';

export const NO_WORKER = 'no worker is running; it starts when one does';

/** A worker whose places are all taken asks for nothing more; then the work that it does tells that it lives. */
export async function servedQueues({
  engine,
  store,
}: Pick<ApiDeps, 'engine' | 'store'>): Promise<QueuesServed> {
  const polled = await engine.polledQueues();
  if (polled.transfer && polled.compute) return polled;
  const busy = await movedSince(store, new Date(Date.now() - POLLER_AGE_MS)).catch(() => undefined);
  return {
    control: polled.control,
    transfer: polled.transfer || busy?.uploads === true,
    compute: polled.compute || busy?.datasets === true,
  };
}

/** What to tell a client whose request has to wait for a worker; undefined when nothing is missing. */
export function queueNotice(served: QueuesServed): string | undefined {
  const all = Object.values(QUEUES);
  const missing = all.filter((queue) => !served[queue]);
  if (missing.length === 0) return undefined;
  if (missing.length === all.length) return NO_WORKER;
  const queues = missing.length === 1 ? `queue ${missing[0]}` : `queues ${missing.join(' and ')}`;
  return `no worker serves the ${queues}; what needs it starts when one does`;
}
