// Asking Google until there is an answer, a refusal, or enough: whoever asks, and in which way.
import { faultOf } from '../../../domain/fault.js';
import { drop, type HttpAnswer } from '../../../net/http.js';
import { type DriveAccess, responseOf } from './access.js';
import type { Gate } from './gate.js';
import { Patience } from './gate.js';
import { type Again, type Asked, reasonsIn, verdictOn } from './refusal.js';

const ERROR_BYTES = 64 * 1024;

/** An answer after which the same is asked again. */
export class AskAgain extends Error {
  override readonly name = 'AskAgain';
  readonly how: Again;

  constructor(how: Again) {
    super(`Google says ${how.again}`);
    this.how = how;
  }
}

/**
 * @param thing what is asked for, in words
 * @param work one try; throws AskAgain or what is final
 * @throws Fault; the signal's reason
 */
export async function patiently<T>(
  gate: Gate,
  access: DriveAccess,
  thing: string,
  work: (token: string) => Promise<T>,
): Promise<T> {
  const patience = new Patience(thing);
  for (;;) {
    await gate.pass();
    const since = Date.now();
    const token = await access.token();
    try {
      const result = await work(token);
      gate.passed(since);
      return result;
    } catch (error) {
      gate.throwIfAborted();
      if (!(error instanceof AskAgain)) throw error;
      patience.next(error.how, error);
      if (error.how.again === 'token') await access.renew(token);
      else gate.close(since, error.how.afterMs);
    }
  }
}

/** From an error of the library; one without an answer is a broken connection. */
export function refusedBy(error: unknown, asked: Asked): Error {
  if (error instanceof AskAgain) return error;
  const fault = faultOf(error);
  if (fault !== undefined) return fault;
  const response = responseOf(error);
  // The cause goes no further: it holds the request with its token.
  if (response === undefined) return new AskAgain({ again: 'broken', why: codeOf(error) });
  const { status, retryAfter, data } = response;
  return asError(verdictOn({ status, reasons: reasonsIn(data), retryAfter }, asked));
}

/** From an answer of ours that is no success; lets go of its body. */
export async function refusedWith(answer: HttpAnswer, asked: Asked): Promise<Error> {
  const reasons = reasonsIn(await shortText(answer.body));
  return asError(
    verdictOn({ status: answer.status, reasons, retryAfter: answer.headers['retry-after'] }, asked),
  );
}

/** The code or the name of what broke, of the first cause that has one; no message, which may quote the request. */
function codeOf(error: unknown): string {
  let found = 'no answer';
  for (
    let at: unknown = error;
    typeof at === 'object' && at !== null;
    at = 'cause' in at ? at.cause : undefined
  ) {
    if ('name' in at && typeof at.name === 'string') found = at.name;
    if ('code' in at && typeof at.code === 'string' && /^[A-Z_0-9]{2,60}$/.test(at.code)) return at.code;
  }
  return found;
}

const asError = (verdict: ReturnType<typeof verdictOn>): Error =>
  verdict instanceof Error ? verdict : new AskAgain(verdict);

/** The beginning of the body of an error. */
async function shortText(body: HttpAnswer['body']): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      parts.push(part);
      size += part.length;
      if (size > ERROR_BYTES) break;
    }
  } catch {
    // Its status says enough.
  }
  await drop(body);
  return Buffer.concat(parts).toString();
}
