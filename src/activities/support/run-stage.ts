// The bracket around every stage's work: errors become coded failures, and a leaving worker's work is tried again.
import { asFailure, leavingFailure, stopReason } from './failures.js';

/** Runs a stage's work inside an activity. */
export async function runStage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw stopReason() === 'leaving' ? leavingFailure() : asFailure(error);
  }
}
