// An answer that is no success, with the problem that the server told.
import type { Problem } from '../contracts/http.js';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status; 0 when the answer could not be understood. */
  readonly status: number;
  readonly problem: Partial<Problem> & Readonly<Record<string, unknown>>;
  /** How long the server asks to wait, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    {
      status = 0,
      problem = {},
      cause,
      retryAfterMs,
    }: {
      status?: number;
      problem?: ApiError['problem'];
      cause?: unknown;
      retryAfterMs?: number | undefined;
    } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  /** The stable code, if the server gave one. */
  get code(): string | undefined {
    return this.problem.code;
  }

  get remedy(): string | undefined {
    return this.problem.remedy;
  }
}

/** @param retryAfter the header of that name */
export function toApiError(status: number, text: string, retryAfter?: string | string[]): ApiError {
  const retryAfterMs = waitOf(retryAfter);
  try {
    const problem = JSON.parse(text) as ApiError['problem'];
    const words = problem.detail ?? problem.title ?? `HTTP ${status}`;
    return new ApiError(words, { status, problem, retryAfterMs });
  } catch {
    return new ApiError(`HTTP ${status}`, { status, retryAfterMs });
  }
}

/** Seconds, or a date. */
function waitOf(text: string | string[] | undefined): number | undefined {
  if (typeof text !== 'string') return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}
