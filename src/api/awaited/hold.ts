// A lease on an upload or on a part of it, for the length of one request: renewed while bytes come, and given back.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../domain/fault.js';
import { releaseWriter, renewWriter, takeWriter } from '../../store/writers.js';
import type { ApiDeps } from '../deps.js';

/** A request whose client has gone without a word holds it no longer than this and `STALLED_MS`. */
const LEASE_MS = 6_000;
const RENEW_MS = 1_500;
/** A holder stops writing so long before its lease ends. */
const MARGIN_MS = 1_500;
/** Without a sign of life for so long it is not renewed. */
const STALLED_MS = 3_000;
const ASK_MS = 100;
/** How long a request waits for another one that has it. */
const PATIENCE_MS = 30_000;

export interface Hold {
  /** @throws Fault upload_locked when it may be somebody else's by now */
  mayWrite(): void;
  /** Work went on: it is renewed. */
  alive(): void;
  release(): Promise<void>;
}

/**
 * Waits for the lease.
 * @param name the upload's job id, or one that begins with it
 * @throws Fault upload_locked, upload_gone when nothing more may be written
 */
export async function takeHold({ store, instance, closing, log }: ApiDeps, name: string): Promise<Hold> {
  const holder = `${instance}/${crypto.randomUUID()}`;
  let until = 0;
  let fence = 0;
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(ASK_MS)) {
    const asked = performance.now();
    const claim = await takeWriter(store, name, holder, LEASE_MS);
    if (claim.state === 'closed') throw new Fault('upload_gone');
    if (claim.state === 'mine') {
      until = asked + LEASE_MS - MARGIN_MS;
      fence = claim.fence;
      break;
    }
    if (closing.aborted || performance.now() > end) throw new Fault('upload_locked');
  }
  let movedAt = performance.now();
  const renew = async (): Promise<void> => {
    const asked = performance.now();
    if (asked - movedAt > STALLED_MS) return;
    if (await renewWriter(store, name, { holder, fence }, LEASE_MS)) until = asked + LEASE_MS - MARGIN_MS;
  };
  const timer = setInterval(() => {
    renew().catch((error: unknown) => log.debug({ err: error, name }, 'a lease could not be renewed'));
  }, RENEW_MS);
  timer.unref();
  return {
    mayWrite() {
      if (performance.now() > until) throw new Fault('upload_locked', 'Another request goes on with this.');
    },
    alive() {
      movedAt = performance.now();
    },
    async release() {
      clearInterval(timer);
      await releaseWriter(store, name, { holder, fence });
    },
  };
}
