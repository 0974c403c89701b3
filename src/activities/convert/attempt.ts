// The directory of one attempt to convert: a new one, or what an attempt that died at the same work left.
import { randomUUID } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { moveIfThere, removeTree } from '../../bytes/files.js';
import { faultOf } from '../../domain/fault.js';
import { endProgramsIn } from '../../process/run-tool.js';
import { isLastTry, stopReason } from '../support/failures.js';
import { exists } from './product.js';

export interface Attempt {
  readonly work: string;
  readonly product: string;
  /** What the program has finished; it decides what of it holds. */
  readonly journal: string;
}

/**
 * Takes over what a dead attempt at the same work left, and removes all others. The taker renames it: whoever believes
 * that the old attempt still runs finds nothing.
 * @param staging of the dataset
 * @param key names the files, the program and its parameters
 */
export async function openAttempt(staging: string, key: string): Promise<Attempt> {
  await mkdir(staging, { recursive: true });
  const prefix = `convert-${key}-`;
  const attempt = attemptIn(join(staging, `${prefix}${randomUUID().slice(0, 8)}`));
  let taken = false;
  for (const name of await readdir(staging)) {
    if (!name.startsWith('convert-')) continue;
    const left = attemptIn(join(staging, name));
    // Programs die with their worker; one may be left of an attempt that the server gave up.
    await endProgramsIn(left.work);
    if (!taken && name.startsWith(prefix) && (await exists(left.journal))) {
      taken = await moveIfThere(left.work, attempt.work);
    }
    await removeTree(left.work);
  }
  for (const name of ['run', 'scratch']) await removeTree(join(attempt.work, name));
  await mkdir(join(attempt.product, 'sluice'), { recursive: true });
  return attempt;
}

/** Whether the next attempt may go on from what a failed one wrote; else nothing of it is to stay. */
export function isWorthKeeping(error: unknown): boolean {
  // When the server does not know the attempt any more, nobody may ever come to clean up.
  if (Context.current().cancellationDetails?.notFound === true) return false;
  if (stopReason() !== undefined) return true;
  return (faultOf(error)?.row.retryable ?? true) && !isLastTry('convert');
}

const attemptIn = (work: string): Attempt => ({
  work,
  product: join(work, 'product'),
  journal: join(work, 'journal.jsonl'),
});
