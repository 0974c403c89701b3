// Waits until a server that was started answers, or has ended; starts it again when it lost a race for a port.
import { readFileSync, statSync } from 'node:fs';
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

const PORT_TRIES = 4;

/**
 * Starts a server whose ports are chosen, or were found free, a moment before it listens. Another program may take one
 * in between (Temporal chooses more for itself): then its log says so, and it is started again.
 * @param start chooses the ports and starts; throws `server_not_ready` when the server ends
 */
export async function whilePortsAreFree<T>(logFile: string, start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const before = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
    try {
      return await start();
    } catch (error) {
      if (tries === PORT_TRIES || !lostItsPort(logFile, before)) throw error;
    }
  }
}

function lostItsPort(logFile: string, from: number): boolean {
  try {
    return /address already in use/i.test(readFileSync(logFile).subarray(from).toString());
  } catch {
    return false;
  }
}

function notReady(daemon: Daemon, what: string, cause: unknown): Fault {
  return new Fault('server_not_ready', `${daemon.name} ${what}; see ${daemon.logFile}.`, { cause });
}
