// What Google answers when it does not give what was asked for, and what that means: a code, a wait, or a new token.
import { Fault } from '../../../domain/fault.js';

/** An answer that is no success. */
export interface Refusal {
  readonly status: number;
  /** Google's own words for it, as far as they look like such. */
  readonly reasons: readonly string[];
  readonly retryAfter: string | undefined;
}

/** Try again: with another token, when Google asks to slow down, or because something broke. */
export interface Again {
  readonly again: 'token' | 'slower' | 'broken';
  readonly afterMs?: number;
  /** A word or two for those who look for the cause. */
  readonly why?: string;
}

/** Whom and what a message names. */
export interface Asked {
  /** The file or folder, in words. */
  readonly thing: string;
  /** The account that asks, in words; its address is what people share with. */
  readonly who: string;
}

const SLOWER = new Set([
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'sharingRateLimitExceeded',
  'backendError',
]);
/** Limits that are over only after hours. */
const USED_UP = new Set(['downloadQuotaExceeded', 'dailyLimitExceeded', 'quotaExceeded']);
const KEPT_BACK = new Map([
  ['cannotDownloadAbusiveFile', 'Google holds it for malware or spam'],
  ['cannotDownloadFile', 'its owner does not allow downloads'],
  ['fileNotDownloadable', 'it has no content that could be downloaded'],
  ['fileNotExportable', 'it cannot be exported'],
  ['exportSizeLimitExceeded', 'it is too large to be exported'],
]);
const SWITCHED_OFF = new Set(['accessNotConfigured', 'SERVICE_DISABLED']);

export function verdictOn({ status, reasons, retryAfter }: Refusal, asked: Asked): Fault | Again {
  const afterMs = retryAfterMs(retryAfter);
  const later = afterMs === undefined ? {} : { afterMs };
  const has = (set: { has(reason: string): boolean }): string | undefined =>
    reasons.find((reason) => set.has(reason));
  if (status === 401) return { again: 'token' };
  if (status === 404 || status === 410) return notFound(asked);
  if (status === 429 || (status === 403 && has(SLOWER) !== undefined)) return { again: 'slower', ...later };
  if (status === 408 || status >= 500) return { again: 'broken', why: words(status, reasons), ...later };
  if (status === 403)
    return forbidden(
      asked,
      { keptBack: has(KEPT_BACK), usedUp: has(USED_UP), off: has(SWITCHED_OFF) },
      reasons,
    );
  return new Fault(
    'drive_denied',
    `Google does not take the request for ${asked.thing} (${words(status, reasons)}).`,
  );
}

function forbidden(
  { thing, who }: Asked,
  found: { keptBack: string | undefined; usedUp: string | undefined; off: string | undefined },
  reasons: readonly string[],
): Fault {
  if (found.keptBack !== undefined) {
    return new Fault('drive_refused', `Google does not give out ${thing}: ${KEPT_BACK.get(found.keptBack)}.`);
  }
  if (found.usedUp !== undefined) {
    return new Fault('drive_quota', `Google allows no more downloads of ${thing} for now (${found.usedUp}).`);
  }
  if (found.off !== undefined) {
    return new Fault('drive_denied', `The Drive API is not enabled in the project of ${who}.`);
  }
  return new Fault('drive_denied', `Google does not let ${who} read ${thing} (${words(403, reasons)}).`);
}

/** Google says the same of what is not there and of what may not be seen. */
const notFound = ({ thing, who }: Asked): Fault =>
  new Fault(
    'drive_not_found',
    `Google Drive has no ${thing}, or it is not shared with ${who}: share it with that address.`,
  );

const words = (status: number, reasons: readonly string[]): string => [status, ...reasons].join(', ');

/** Reads the body of an error: `{error:{errors:[{reason}],details:[{reason}],status}}`, or `{error:"word"}` of the token endpoint. */
export function reasonsIn(body: unknown): string[] {
  if (typeof body === 'string') return reasonsIn(jsonOrNothing(body));
  const error = isRecord(body) ? body.error : undefined;
  if (typeof error === 'string') return [error].filter(isWord);
  if (!isRecord(error)) return [];
  const lists = [error.errors, error.details].flatMap((list) => (Array.isArray(list) ? list : []));
  return [...new Set(lists.map((one) => (isRecord(one) ? one.reason : undefined)).filter(isWord))];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const isWord = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z_]{1,60}$/.test(value);

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfterMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}
