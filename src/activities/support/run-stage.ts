// The bracket around every stage's work: errors become coded failures, and a leaving worker's work is tried again.
import type { Stage } from '../../domain/stage.js';
import { asFailure, isLastTry, leavingFailure, stopReason } from './failures.js';

/**
 * Runs work inside an activity.
 * @param stage the stage that it is; small work that is none is tried for as long as its options say
 */
export async function runStage<T>(work: () => Promise<T>, stage?: Stage): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw stopReason() === 'leaving'
      ? leavingFailure()
      : asFailure(error, stage !== undefined && isLastTry(stage));
  }
}
