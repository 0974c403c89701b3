// Every way to fail, by its code.
import { FETCH_FAILURES } from './failure-fetch.js';
import { REQUEST_FAILURES } from './failure-requests.js';
import type { Blame, FailureRow } from './failure-row.js';
import { STAGE_FAILURES } from './failure-stages.js';

export const FAILURES = { ...REQUEST_FAILURES, ...FETCH_FAILURES, ...STAGE_FAILURES };

export type FailureCode = keyof typeof FAILURES;

/** Whether the text is a code of the table. */
export function isFailureCode(text: unknown): text is FailureCode {
  return typeof text === 'string' && Object.hasOwn(FAILURES, text);
}

/** The row of a code. */
export function failureRow(code: FailureCode): FailureRow {
  return FAILURES[code];
}

/** What went wrong, as it is stored and shown: the code, a sentence naming the thing, what to do. */
export interface FailureNote {
  readonly code: FailureCode;
  readonly say: string;
  readonly remedy: string;
  readonly blame: Blame;
}

/** Words a failure: the detail when there is one (it names the thing), else the table's sentence. */
export function noteFailure(code: FailureCode, detail?: string): FailureNote {
  const { say, remedy, blame } = failureRow(code);
  return { code, say: detail ?? say, remedy, blame };
}
