// From how a program ended to a coded failure.
import { basename } from 'node:path';
import { type FailureCode, failureRow, isFailureCode } from '../domain/failure.js';
import { Fault } from '../domain/fault.js';

/** Exit codes of the contract (sysexits: EX_DATAERR, EX_TEMPFAIL). */
const BAD_CONTENT = 65;
const TRY_AGAIN = 75;

/** What a finished program left. */
export interface Ended {
  readonly command: string;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly result: Record<string, unknown> | undefined;
  readonly error: { readonly code: string; readonly say: string } | undefined;
  /** The last 64 KiB of its log. */
  readonly tail: string;
  readonly logFile: string;
}

/**
 * The program's result.
 * @throws Fault: content codes for exit 65, `program_memory`, a system code for exit 75, else `program_failed`;
 * `facts` hold exitCode, signal, tail and logFile
 */
export function verdict(ended: Ended): Record<string, unknown> {
  if (ended.exitCode === 0 && ended.result !== undefined) return ended.result;
  throw programFault(codeFor(ended), ended);
}

/** A fault of the program with the facts about it. */
export function programFault(code: FailureCode, ended: Ended, detail = wordsFor(code, ended)): Fault {
  const { exitCode, signal, tail, logFile } = ended;
  return new Fault(code, detail, { facts: { exitCode, signal, tail, logFile } });
}

function codeFor(ended: Ended): FailureCode {
  const said = isFailureCode(ended.error?.code) ? ended.error.code : undefined;
  if (ended.exitCode === BAD_CONTENT) {
    return said !== undefined && failureRow(said).blame === 'content' ? said : 'bad_content';
  }
  if (ended.exitCode !== 0 && ranOutOfMemory(ended.tail)) return 'program_memory';
  return said !== undefined && failureRow(said).blame === 'system' ? said : 'program_failed';
}

/** How the languages of our programs word a refused allocation. */
function ranOutOfMemory(tail: string): boolean {
  return /\bMemoryError\b|std::bad_alloc|[Cc]annot allocate (memory|buffer)|Unable to allocate|heap out of memory/.test(
    tail,
  );
}

function wordsFor(code: FailureCode, ended: Ended): string {
  const { error } = ended;
  if (error !== undefined) {
    const named = error.code === code ? '' : ` (${error.code})`;
    return `${error.say || failureRow(code).say}${named}`;
  }
  const lastLine = ended.tail.trimEnd().split('\n').at(-1)?.slice(0, 500);
  const how = `The program ${basename(ended.command)} ${endWords(ended)}`;
  return lastLine === undefined || lastLine === '' ? `${how}.` : `${how}: ${lastLine}`;
}

function endWords({ exitCode, signal }: Ended): string {
  if (signal !== undefined) return `was ended by ${signal}`;
  if (exitCode === 0) return 'ended without a result';
  return `ended with exit code ${exitCode}${exitCode === TRY_AGAIN ? ' (try again)' : ''}`;
}
