// An answer that is no success, with the problem that the server told.
import type { Problem } from '../contracts/http.js';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status; 0 when the answer could not be understood. */
  readonly status: number;
  readonly problem: Partial<Problem> & Readonly<Record<string, unknown>>;

  constructor(
    message: string,
    {
      status = 0,
      problem = {},
      cause,
    }: { status?: number; problem?: ApiError['problem']; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.problem = problem;
  }

  /** The stable code, if the server gave one. */
  get code(): string | undefined {
    return this.problem.code;
  }

  get remedy(): string | undefined {
    return this.problem.remedy;
  }
}

export function toApiError(status: number, text: string): ApiError {
  try {
    const problem = JSON.parse(text) as ApiError['problem'];
    return new ApiError(problem.detail ?? problem.title ?? `HTTP ${status}`, { status, problem });
  } catch {
    return new ApiError(`HTTP ${status}`, { status });
  }
}
