// Waits until a server that was started answers, or has ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../domain/fault.js';
import type { Daemon } from '../process/daemon.js';

const READY_LIMIT_MS = 30_000;

/**
 * Asks again and again until the answer comes.
 * @throws Fault `server_not_ready` naming the log, when the server ends first or the limit passes
 */
export async function waitReady<T>(
  daemon: Daemon,
  ask: () => Promise<T>,
  limitMs = READY_LIMIT_MS,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (let last: unknown; ; ) {
    if (daemon.ended) throw notReady(daemon, 'ended at its start', last);
    if (performance.now() > end) throw notReady(daemon, `did not answer for ${limitMs / 1000} s`, last);
    try {
      return await ask();
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
}

function notReady(daemon: Daemon, what: string, cause: unknown): Fault {
  return new Fault('server_not_ready', `${daemon.name} ${what}; see ${daemon.logFile}.`, { cause });
}
