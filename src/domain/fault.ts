// The one error that carries a failure code. Edges turn it into an HTTP answer or a Temporal failure.
import { type FailureCode, failureRow } from './failure.js';
import type { FailureRow } from './failure-row.js';

/** A coded failure; `message` names the thing that failed (never a secret), or is the table's sentence. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FailureCode;
  /** Facts for the caller beside the sentence, e.g. the field, the open commands. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: FailureCode,
    detail?: string,
    options: { cause?: unknown; facts?: Record<string, unknown> } = {},
  ) {
    super(detail ?? failureRow(code).say, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
  }

  get row(): FailureRow {
    return failureRow(this.code);
  }
}

/** The fault in an error or in its causes, if there is one. */
export function faultOf(error: unknown): Fault | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof Fault) return at;
  }
  return undefined;
}
