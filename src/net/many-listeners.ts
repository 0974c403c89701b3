// One signal that many requests listen to.
import { setMaxListeners } from 'node:events';

/**
 * No warning about a leak for this signal. Not 0, which would mean the same: Node 20 then takes the signal for none at
 * all (`getMaxListeners` throws), and with it every `fetch` that is given the signal fails.
 */
export const allowManyListeners = (signal: AbortSignal): void => setMaxListeners(1_000_000, signal);
