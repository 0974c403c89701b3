// One supervisor for one home: everybody first writes a file of its own, then looks for those of others.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../bytes/disk-fault.js';
import { Fault } from '../domain/fault.js';
import { startTimeOf } from '../process/proc.js';

/** Two that start at the same moment may both step back; so they try again, at different times. */
const TRIES = 4;
const LONGEST_PAUSE_MS = 400;

/**
 * Takes the home for this process. Files of dead processes do not count and are removed.
 * @returns a function that gives it back
 * @throws Fault `already_running`
 */
export async function lockHome(home: string): Promise<() => void> {
  mkdirSync(home, { recursive: true });
  for (let tries = 1; ; tries++) {
    const other = tryLock(home);
    if (other === undefined) return () => rmSync(ownPath(home), { force: true });
    if (tries === TRIES || other === process.pid) {
      throw new Fault(
        'already_running',
        `Sluice is already running or starting on ${home} (process ${other}). Use it, stop it, or set SLUICE_HOME to another directory.`,
        { facts: { pid: other } },
      );
    }
    await sleep(LONGEST_PAUSE_MS * Math.random());
  }
}

/** Writes before it looks, so of two at least one sees the other. Tells the pid of the other one. */
function tryLock(home: string): number | undefined {
  try {
    writeFileSync(ownPath(home), '', { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return process.pid;
    throw error;
  }
  const other = livingOther(home);
  if (other !== undefined) rmSync(ownPath(home), { force: true });
  return other;
}

function livingOther(home: string): number | undefined {
  for (const name of readdirSync(home)) {
    const [, pid, start] = /^supervisor-(\d+)-(\d+)\.lock$/.exec(name) ?? [];
    if (pid === undefined || join(home, name) === ownPath(home)) continue;
    if (startTimeOf(Number(pid)) === Number(start)) return Number(pid);
    rmSync(join(home, name), { force: true });
  }
  return undefined;
}

const ownPath = (home: string): string =>
  join(home, `supervisor-${process.pid}-${startTimeOf(process.pid) ?? 0}.lock`);
