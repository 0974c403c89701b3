// One way to fail: who is to blame, whether trying again can help, the HTTP status, and words for the user.

/** content: the data or a rule was not met (failed); system: something broke (errored); caller: the request was wrong. */
export type Blame = 'content' | 'system' | 'caller';

export interface FailureRow {
  readonly blame: Blame;
  /** Whether Temporal may try the same call again by itself. */
  readonly retryable: boolean;
  /** Bytes that came before it stay in staging, for a retry when it was mended. */
  readonly keepsBytes: boolean;
  readonly http: number;
  /** One sentence for the user: what is wrong. */
  readonly say: string;
  /** One sentence for the user: what to do. */
  readonly remedy: string;
}

export const row = (
  blame: Blame,
  http: number,
  say: string,
  remedy: string,
  retryable = false,
  keepsBytes = blame === 'system',
): FailureRow => ({
  blame,
  retryable,
  keepsBytes,
  http,
  say,
  remedy,
});
export const content = (say: string, remedy: string): FailureRow => row('content', 422, say, remedy);
/** The source is as it was, and needs to be asked otherwise: with other credentials, or when somebody has mended it. */
export const mendable = (say: string, remedy: string): FailureRow =>
  row('content', 422, say, remedy, false, true);
export const system = (say: string, remedy: string, retryable = true): FailureRow =>
  row('system', 503, say, remedy, retryable);
export const caller = (http: number, say: string, remedy: string): FailureRow =>
  row('caller', http, say, remedy);
