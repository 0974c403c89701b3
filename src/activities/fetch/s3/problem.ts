// What a store's refusal means: its code and status become a fault, a reason to try again, or another region.
import type { FailureCode } from '../../../domain/failure.js';
import { Fault } from '../../../domain/fault.js';
import type { HttpAnswer } from '../../../net/http.js';
import { type GivenUp, SourceChanged, TryAgain } from '../transfer/port.js';
import { connectionError } from '../transfer/tries.js';

/** Codes of the engine's own verdicts. */
export const S3_CODES: Readonly<Record<GivenUp, FailureCode>> = {
  short: 's3_short',
  broken: 's3_broken',
  'unknown host': 's3_not_found',
  changed: 's3_changed',
};

/** A refusal as the store worded it. */
export interface Problem {
  readonly status: number;
  /** The store's own word; empty where it gave none. */
  readonly code: string;
  /** Where the bucket lies, when the store told. */
  readonly region?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The store's clock, ms. */
  readonly date?: number | undefined;
}

/** What was asked for, for the sentence. */
export interface Asked {
  readonly host: string;
  readonly bucket: string;
  readonly permission: 's3:ListBucket' | 's3:GetObject';
  /** Quoted; absent when the bucket was listed. */
  readonly object?: string;
}

const WORDS_BYTES = 16_384;

/** Reads a refusal to its end; what is longer is cut. */
export async function readProblem(answer: HttpAnswer): Promise<Problem> {
  let text = '';
  try {
    for await (const chunk of answer.body) {
      text += String(chunk);
      if (text.length > WORDS_BYTES) break;
    }
  } catch (error) {
    throw connectionError(error);
  }
  const word = (name: string): string | undefined =>
    new RegExp(`<${name}>([^<]{1,100})</${name}>`).exec(text)?.[1];
  return problemOf(answer.status, answer.headers, word('Code') ?? '', word('Region'));
}

/** The problem that an error of the SDK stands for; undefined: it is no answer of the store. */
export function problemOfError(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  const { name, $metadata, $response, Region } = error as Error & {
    $metadata: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: HttpAnswer['headers'] };
    Region?: unknown;
  };
  const status = $metadata.httpStatusCode ?? $response?.statusCode;
  if (status === undefined) return undefined;
  const code = /^\d|^Unknown/.test(name) ? '' : name;
  return problemOf(status, $response?.headers ?? {}, code, typeof Region === 'string' ? Region : undefined);
}

function problemOf(
  status: number,
  headers: HttpAnswer['headers'],
  code: string,
  region: string | undefined,
): Problem {
  return {
    status,
    code: code.replace(/[^A-Za-z0-9]/g, ''),
    region: regionName(headers['x-amz-bucket-region'] ?? region),
    retryAfterMs: secondsOf(headers['retry-after']),
    date: timeOf(headers.date),
  };
}

const regionName = (text: string | undefined): string | undefined =>
  text !== undefined && /^[A-Za-z0-9-]{1,64}$/.test(text) ? text : undefined;
const secondsOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
const timeOf = (text = ''): number | undefined => {
  const time = Date.parse(text);
  return Number.isFinite(time) ? time : undefined;
};

/** The store says that the bucket lies in another region than the one that was asked. */
export const isElsewhere = ({ status, code }: Problem): boolean =>
  [301, 302, 307].includes(status) ||
  ['AuthorizationHeaderMalformed', 'IllegalLocationConstraintException', 'PermanentRedirect'].includes(code);

/** The store's clock and ours differ by too much. */
export const isSkewed = ({ code }: Problem): boolean =>
  ['RequestTimeTooSkewed', 'RequestExpired', 'RequestInTheFuture'].includes(code);

const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'];
const TOO_MUCH = ['SlowDown', 'ServiceUnavailable'];
const AGAIN = ['SlowDown', 'InternalError', 'ServiceUnavailable', 'RequestTimeout', 'OperationAborted'];

/** The error to throw for a problem that no other region and no other clock mends. */
export function refusal(problem: Problem, asked: Asked): Error {
  const { status, code } = problem;
  const { host, bucket, object } = asked;
  const told = code === '' ? `status ${status}` : `${code}, ${status}`;
  if (EXPIRED.includes(code)) return new Fault('s3_expired', `The store ${host} says that the keys expired.`);
  if (AGAIN.includes(code) || status >= 500 || [408, 425, 429].includes(status) || isSkewed(problem)) {
    return new TryAgain('broken', {
      afterMs: problem.retryAfterMs,
      tooMuch: TOO_MUCH.includes(code) || [429, 503].includes(status),
      cause: new Error(told),
    });
  }
  if (status === 412) return new SourceChanged('another version than the bytes before');
  if (isElsewhere(problem))
    return new Fault(
      's3_refused',
      `The bucket ${bucket} lies elsewhere${problem.region === undefined ? '' : ` (region ${problem.region})`}: name its endpoint and region (${told}).`,
    );
  if (code === 'InvalidObjectState')
    return new Fault('s3_refused', `The object ${object} is archived; restore it at the store first.`);
  if (status === 404) return notFound(problem, asked, told);
  if (status === 401 || status === 403 || code.startsWith('InvalidAccessKey'))
    return denied(problem, asked, told);
  return new Fault('s3_refused', `The store ${host} refused the request for ${object ?? bucket} (${told}).`);
}

function notFound({ code }: Problem, { host, bucket, object }: Asked, told: string): Fault {
  const what = code === 'NoSuchBucket' || object === undefined ? `bucket ${bucket}` : `object ${object}`;
  return new Fault('s3_not_found', `The store ${host} has no ${what} (${told}).`);
}

const WRONG_KEYS = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'InvalidSecurity',
  'NotSignedUp',
];

function denied({ code }: Problem, { host, bucket, object, permission }: Asked, told: string): Fault {
  if (WRONG_KEYS.includes(code))
    return new Fault('s3_denied', `The store ${host} does not know these keys (${told}).`);
  const hint =
    object === undefined
      ? 'one object can be fetched by its key without it'
      : 'or there is no such object, which a store does not tell everybody';
  return new Fault(
    's3_denied',
    `The store ${host} refused ${object ?? `the list of the bucket ${bucket}`} (${told}): the permission ${permission} is missing (${hint}).`,
  );
}
