// The key ring of this host is that of the installation: looked at when a process starts, before it seals or opens.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { Fault, faultOf } from '../domain/fault.js';
import { hasKeyRing, keyMarks } from '../secrets/vault.js';
import { readKeyMarks, replaceKeyMarks, writeFirstKeyMarks } from '../store/key-marks.js';
import type { Store } from '../store/mongo.js';

export interface KeyCheck {
  readonly store: Store;
  readonly config: Pick<Config, 'home' | 'newKeys'>;
  readonly closing: AbortSignal;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
  /** A ring that is not the installation's was found after the start, when the database came back. */
  onForeign(fault: Fault): void;
}

/** A start does not wait longer for the database. */
const PATIENCE_MS = 2_500;
const AGAIN_MS = 3_000;

/**
 * Checks the ring, and makes it where there is none yet. While the database is away it goes on asking beside the start.
 * @throws Fault foreign_keys
 */
export async function checkKeys(check: KeyCheck): Promise<void> {
  const first = compare(check).then(() => true);
  const late = sleep(PATIENCE_MS, false, { ref: false });
  try {
    if (await Promise.race([first, late])) return;
  } catch (error) {
    if (isForeign(error)) throw error;
  }
  void goOn(check, first);
}

async function goOn(check: KeyCheck, asked: Promise<unknown>): Promise<void> {
  for (let asking = asked; !check.closing.aborted; asking = compare(check)) {
    try {
      await asking;
      return;
    } catch (error) {
      if (isForeign(error)) return check.onForeign(error);
      check.log('the keys could not be compared yet', { error: String(error) });
      await sleep(AGAIN_MS, undefined, { signal: check.closing, ref: false }).catch(() => undefined);
    }
  }
}

const isForeign = (error: unknown): error is Fault => faultOf(error)?.code === 'foreign_keys';

async function compare({ store, config: { home, newKeys = false } }: KeyCheck): Promise<void> {
  const before = await readKeyMarks(store);
  const isNew = Object.keys(before).length === 0;
  // Where others have keys already, this host must not make its own.
  if (!isNew && !newKeys && !(await hasKeyRing(home)))
    throw new Fault('foreign_keys', words(home, 'has none'));
  const own = await keyMarks(home);
  const known = isNew ? await writeFirstKeyMarks(store, own) : before;
  const shared = Object.keys(own).filter((id) => known[id] === own[id]);
  const other = Object.keys(own).filter((id) => known[id] !== undefined && known[id] !== own[id]);
  if ((shared.length === 0 || other.length > 0) && !newKeys) {
    throw new Fault('foreign_keys', words(home, 'has others'));
  }
  // A key that was added for the next secrets is known from now on.
  const added = Object.keys(own).some((id) => known[id] !== own[id]);
  if (added) await replaceKeyMarks(store, newKeys ? own : { ...known, ...own });
}

const words = (home: string, what: string): string =>
  `The database belongs to an installation that has keys, and ${home} on this host ${what}.`;
