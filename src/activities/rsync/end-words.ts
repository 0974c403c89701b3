// What rsync and ssh wrote before they ended, read for signs, and said without anything that could harm.
import type { ToolEnd } from '../../process/run-tool.js';

/** The first of the signs that is found, with its line: what is said about the host comes before what follows from it. */
export function firstSign<S extends { readonly text: RegExp }>(
  signs: readonly S[],
  { errors }: ToolEnd,
): { readonly sign: S; readonly line: string } | undefined {
  const lines = errors.split('\n');
  for (const sign of signs) {
    const line = lines.find((one) => sign.text.test(one));
    if (line !== undefined) return { sign, line };
  }
  return undefined;
}

/** rsync(1), "EXIT VALUES": what may pass when it is tried again. */
const PASSING = new Set([10, 12, 20, 30, 35, 255]);

/** Whether it may pass when it is tried again. */
export const mayPass = ({ signal, exitCode }: ToolEnd): boolean =>
  signal !== undefined || PASSING.has(exitCode ?? 0);

/** Its last words, and how it ended. */
export function lastWords({ errors, signal, exitCode }: ToolEnd): string {
  const how = signal === undefined ? `exit code ${exitCode}` : `signal ${signal}`;
  return `${errors.trim().split('\n').at(-1) ?? ''} (rsync ended with ${how})`;
}

/** A line that comes from elsewhere: cut, and without control characters. */
export const saying = (host: string, line: string): string =>
  `${host}: ${line
    .trim()
    .replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD')
    .slice(0, 400)}`;

/** Why a connection was not made, in a word. */
export function connectionWord(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'no connection';
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no answer in time';
}
