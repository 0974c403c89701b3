// What clients send keeps the limits on bandwidth too: the bytes of one request, while they are written.
import type { Pace } from '../bytes/pump.js';
import type { ApiDeps } from './deps.js';

/** The bytes of one request under the limits that hold for them. */
export interface Pacing {
  readonly pace: Pace;
  /** Since it was asked last, its client had to wait for us: it is not the client who was idle. */
  heldUp(): boolean;
  /** The request has ended. */
  leave(): void;
}

/** @param alive called now and then while it waits */
export function startPacing(
  { bandwidth }: Pick<ApiDeps, 'bandwidth'>,
  request: { readonly jobId: string; readonly owner: string | undefined; readonly signal: AbortSignal },
  alive: () => void = () => undefined,
): Pacing {
  const joined = bandwidth.join({ ...request, alive });
  let waiting = 0;
  let waited = false;
  const wait = async (bytes: number): Promise<void> => {
    waiting += 1;
    waited = true;
    try {
      await joined.pace(bytes);
    } finally {
      waiting -= 1;
    }
  };
  return {
    pace: (bytes) => (joined.isFree() ? undefined : wait(bytes)),
    heldUp() {
      const was = waited;
      waited = waiting > 0;
      return was;
    },
    leave: () => joined.leave(),
  };
}
