// Keeps one child running: a dead one is started again, after a pause that grows.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon, Exit } from '../process/daemon.js';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A child that lived this long was healthy; its next death starts with the first pause again. */
const HEALTHY_MS = 60_000;

export interface Kept {
  readonly name: string;
  /** SIGTERM, SIGKILL after the grace time; it is not started again. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL, now. */
  kill(): void;
}

export interface KeepEvents {
  started(daemon: Daemon): void;
  /** It ended, or could not be started again; the next try follows after the pause. */
  down(name: string, why: string, pauseMs: number): void;
}

/**
 * Starts a child and starts it again whenever it ends.
 * @param start resolves when the child is ready
 * @throws what the first start throws; later failures only lengthen the pause
 */
export async function keepAlive(
  name: string,
  start: () => Promise<Daemon>,
  events: KeepEvents,
): Promise<Kept> {
  const stopping = new AbortController();
  let daemon: Daemon | undefined = await start();
  events.started(daemon);
  const loop = keep();
  return {
    name,
    async stop(graceMs) {
      stopping.abort();
      await daemon?.stop(graceMs);
      await loop;
    },
    kill() {
      stopping.abort();
      daemon?.kill();
    },
  };

  async function keep(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!stopping.signal.aborted) {
      const since = performance.now();
      const why = daemon === undefined ? 'could not be started' : exitWords(await daemon.exited);
      if (stopping.signal.aborted) return;
      if (performance.now() - since > HEALTHY_MS) pauseMs = FIRST_PAUSE_MS;
      events.down(name, why, pauseMs);
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      daemon = stopping.signal.aborted ? undefined : await startAgain();
    }
    // A stop that came while the child was starting did not reach it.
    await daemon?.stop(LONGEST_PAUSE_MS);
  }

  async function startAgain(): Promise<Daemon | undefined> {
    try {
      const again = await start();
      events.started(again);
      return again;
    } catch {
      return undefined;
    }
  }
}

function exitWords({ code, signal }: Exit): string {
  return signal === undefined ? `ended with exit code ${code}` : `was ended by ${signal}`;
}
