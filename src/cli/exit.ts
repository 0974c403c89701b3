// Exit codes, and every error as the words and the code of the command's end.
import { ApiError } from '../client/api-error.js';
import { isWireError } from '../client/wire.js';
import { ConfigError } from '../config/env.js';
import { isFailureCode } from '../domain/failure.js';
import type { Blame } from '../domain/failure-row.js';
import { faultOf } from '../domain/fault.js';

/** content: the data or a rule was not met; usage: called wrongly; system: something broke. */
export const EXIT = { done: 0, content: 1, usage: 2, system: 3, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_OF_BLAME: Readonly<Record<Blame, ExitCode>> = {
  content: EXIT.content,
  caller: EXIT.usage,
  system: EXIT.system,
};

/** An end of the command that it knows the words for. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly remedy: string | undefined;

  constructor(exitCode: ExitCode, code: string, message: string, remedy?: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
    this.remedy = remedy;
  }
}

export const usage = (message: string, remedy?: string): CliError =>
  new CliError(EXIT.usage, 'wrong_usage', message, remedy);

/** What a command says of an error. */
export interface Explained {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly say: string;
  readonly remedy?: string;
}

export function explain(error: unknown): Explained {
  if (error instanceof CliError) {
    const { exitCode, code, message: say, remedy } = error;
    return { exitCode, code, say, ...(remedy === undefined ? {} : { remedy }) };
  }
  if (error instanceof ConfigError) {
    return { exitCode: EXIT.usage, code: 'wrong_settings', say: error.message };
  }
  if (error instanceof ApiError) return explainAnswer(error);
  if (isWireError(error)) {
    const say = 'The server cannot be reached.';
    return { exitCode: EXIT.system, code: 'unreachable', say, remedy: START_IT };
  }
  const fault = faultOf(error);
  const say = error instanceof Error ? error.message : String(error);
  if (fault === undefined) return { exitCode: EXIT.system, code: 'internal', say };
  return { exitCode: EXIT_OF_BLAME[fault.row.blame], code: fault.code, say, remedy: fault.row.remedy };
}

export const START_IT = 'Start it with `npm start` (or set SLUICE_URL to the server that runs).';

/** 409: the present state is in the way; other refusals are the caller's; 5xx and 429 are the server's. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 409) return EXIT.content;
  return status >= 400 && status < 500 && status !== 429 ? EXIT.usage : EXIT.system;
}

function explainAnswer({ status, code = 'internal', message: say, problem, remedy }: ApiError): Explained {
  // Content that was refused at the door (an empty file) is the content's failure, though HTTP calls it the request's.
  const { dataset_uuid: made } = problem;
  const exitCode =
    isFailureCode(code) && made !== undefined && status === 422 ? EXIT.content : exitCodeOfStatus(status);
  return { exitCode, code, say, ...(remedy === undefined ? {} : { remedy }) };
}
