// What the network does to a call: told apart from what the server answers.
import { setTimeout as sleep } from 'node:timers/promises';

const CONNECT_ERRORS = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
];
const BROKEN = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'ENOTCONN'];

/** The connection could not be made, so the server knows nothing of the call. */
export function isConnectError(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isConnectError);
  return CONNECT_ERRORS.includes(codeOf(error));
}

/** No answer came. Errors of files (they carry a path) are not of this kind. */
export function isWireError(error: unknown): boolean {
  if (error instanceof NoAnswer || isConnectError(error)) return true;
  const code = codeOf(error);
  return code.startsWith('UND_ERR_') || BROKEN.includes(code);
}

/** The server was silent for too long. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';

  constructor(ms: number) {
    super(`no answer within ${Math.round(ms / 1000)} s`);
  }
}

/** The call's answer, or NoAnswer after the limit: a server that hangs is as good as gone. */
export async function within<T>(ms: number, call: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).then(() => {
    throw new NoAnswer(ms);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
    call.catch(() => undefined);
  }
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
