// Every error becomes one answer: problem details (RFC 9457), readable by older clients too.
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Problem } from '../contracts/http.js';
import { Fault, faultOf } from '../domain/fault.js';
import { isStoreDown } from '../store/mongo.js';
import { type FieldError, UNKNOWN_FIELD } from './field-errors.js';

/** A request that does not fit its schema. */
export class InvalidRequest extends Fault {
  readonly errors: readonly FieldError[];

  constructor(errors: readonly FieldError[]) {
    super(
      codeOf(errors),
      errors.map(({ loc, msg }) => `${loc.slice(1).join('.') || loc[0]}: ${msg}`).join('; '),
    );
    this.errors = errors;
  }
}

/** The answer to an error, whatever it is. */
export function problemResponse(error: unknown, c: Context): Response {
  const fault = toFault(error);
  const { status, body } = describe(fault, c.req.path);
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if ([503, 429, 423].includes(status) || fault.code === 'idempotency_running') headers['retry-after'] = '5';
  return c.body(JSON.stringify(body), status as ContentfulStatusCode, headers);
}

/** The fault that an error means; anything unknown is `internal` and shows nothing of itself. */
export function toFault(error: unknown): Fault {
  const fault = faultOf(error);
  if (fault !== undefined) return fault;
  if (isStoreDown(error)) return new Fault('store_unavailable', undefined, { cause: error });
  if (error instanceof HTTPException) return fromHttp(error);
  return new Fault('internal', undefined, { cause: error });
}

function fromHttp(error: HTTPException): Fault {
  if (error.status === 413) return new Fault('payload_too_large', undefined, { cause: error });
  if (error.status === 404) return new Fault('not_found', undefined, { cause: error });
  return new Fault('invalid_field', error.message || undefined, { cause: error });
}

const isCompat = (path: string): boolean => path.startsWith('/api/upload/');

function describe(fault: Fault, path: string): { status: number; body: unknown } {
  const { code, row } = fault;
  // The table says what a code means everywhere; only HTTP knows a status of its own for a full disk.
  const status = code === 'disk_full' ? 507 : row.http;
  const body: Problem = {
    type: `urn:sluice:problem:${code}`,
    title: row.say,
    status,
    detail: fault.message,
    code,
    remedy: row.remedy,
    instance: path,
    error: row.say,
  };
  if (!(fault instanceof InvalidRequest)) return { status, body: { ...body, ...fault.facts } };
  if (isCompat(path)) return { status, body: { ...body, detail: fault.errors } };
  return {
    status,
    body: { ...body, errors: fault.errors.map(({ loc, msg, type }) => ({ loc: [...loc], msg, type })) },
  };
}

function codeOf(errors: readonly FieldError[]): 'unknown_sensor' | 'invalid_field' {
  const [only] = errors;
  const isSensor =
    errors.length === 1 && only?.loc.at(-1) === 'sensor' && !['missing', UNKNOWN_FIELD].includes(only.type);
  return isSensor ? 'unknown_sensor' : 'invalid_field';
}
