// GET over http(s) through the URL guard: redirects by hand, credentials never to another origin.
import type { LookupAddress } from 'node:dns';
import { Agent, type Dispatcher } from 'undici';
import { Fault } from '../domain/fault.js';
import { writeGet } from './http-head.js';
import { type LaneBody, type LanePlace, openLane } from './lane.js';
import type { LaneTarget } from './lane-messages.js';
import { createUrlGuard, type UrlGuard } from './url-guard.js';

const REDIRECTS = 5;

/** The parts of a URL that must not be seen. */
export interface UrlSecret {
  readonly user?: string;
  readonly password?: string;
  /** With its question mark. */
  readonly query?: string;
}

/**
 * Splits a URL into what may be stored and shown, and what must be sealed. The fragment is dropped.
 * @throws Fault `invalid_field` when it is no URL (the text is not repeated)
 */
export function splitUrl(text: string): { url: string; secret?: UrlSecret } {
  if (!URL.canParse(text)) throw new Fault('invalid_field', 'The URL cannot be read.');
  const url = new URL(text);
  const secret: UrlSecret = {
    ...(url.username === '' ? {} : { user: decode(url.username) }),
    ...(url.password === '' ? {} : { password: decode(url.password) }),
    ...(url.search === '' ? {} : { query: url.search }),
  };
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return Object.keys(secret).length === 0 ? { url: url.href } : { url: url.href, secret };
}

/** The reverse: the URL with its query, and the Authorization header of its user. */
export function joinUrl(url: string, secret: UrlSecret = {}): { url: URL; authorization?: string } {
  const whole = new URL(url);
  if (secret.query !== undefined) whole.search = secret.query;
  if (secret.user === undefined && secret.password === undefined) return { url: whole };
  const pair = Buffer.from(`${secret.user ?? ''}:${secret.password ?? ''}`).toString('base64');
  return { url: whole, authorization: `Basic ${pair}` };
}

export interface HttpOptions {
  /** SLUICE_URL_ALLOW. */
  readonly allow: readonly string[];
  /** Longest time without a byte, for the header and between two parts of the body, ms. */
  readonly stallMs?: number;
}

/** A GET whose body goes straight into a file. */
export interface AsideRequest {
  /** With its query; sent as it stands here. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly place: LanePlace;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** Where it came from in the end. */
  readonly url: URL;
}

export interface HttpClient {
  /**
   * One GET, following at most 5 redirects. The caller must read or destroy the body.
   * @throws Fault `url_forbidden`, `url_too_many_redirects`; undici's errors for a broken connection or a stall
   */
  get(
    target: { readonly url: URL; readonly authorization?: string },
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpAnswer>;
  /**
   * One request as it is, redirects not followed. The caller must read or destroy the body.
   * @throws Fault `url_forbidden`; undici's errors for a broken connection or a stall
   */
  send(
    origin: URL,
    request: {
      /** With its query; sent as it stands here. */
      readonly path: string;
      readonly method: 'GET' | 'HEAD';
      readonly headers: Readonly<Record<string, string>>;
      readonly signal: AbortSignal;
    },
  ): Promise<HttpAnswer>;
  /**
   * One GET, redirects not followed, whose body goes straight into a file: for large bodies of known length.
   * @throws Fault `url_forbidden`; LaneError for a broken connection, and for an answer that `get` may understand
   */
  aside(origin: URL, request: AsideRequest): Promise<LaneBody>;
  close(): Promise<void>;
}

export function createHttp(options: HttpOptions): HttpClient {
  const guard = createUrlGuard(options.allow);
  const stallMs = options.stallMs ?? 30_000;
  // One connection per range in flight; the pool reuses them between pieces.
  const agent = new Agent({ connect: guard.connector, headersTimeout: stallMs, bodyTimeout: stallMs });
  return {
    get: (target, headers, signal) => followed(guard, agent, target, headers, signal),
    send: async (url, request) => {
      guard.check(url);
      const answer = await agent.request({ origin: url.origin, ...request });
      // See followed.
      answer.body.on('error', () => undefined);
      return { status: answer.statusCode, headers: flat(answer.headers), body: answer.body, url };
    },
    aside: async (origin, { path, headers, place, signal }) => {
      const target = laneTo(origin, await guard.addresses(origin));
      return await openLane(target, writeGet(origin.host, path, headers), place, signal);
    },
    close: () => agent.close(),
  };
}

function laneTo(url: URL, addresses: readonly LookupAddress[]): LaneTarget {
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return { secure, host: url.hostname.replace(/^\[|\]$/g, ''), port, addresses };
}

async function followed(
  guard: UrlGuard,
  agent: Agent,
  target: { readonly url: URL; readonly authorization?: string },
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let url = target.url;
  for (let hops = 0; hops <= REDIRECTS; hops++) {
    guard.check(url);
    const mayKnow = url.origin === target.url.origin && target.authorization !== undefined;
    const answer = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { ...headers, ...(mayKnow ? { authorization: target.authorization } : {}) },
      signal,
    });
    // A connection may break before the body is read; its reader hears of it then.
    answer.body.on('error', () => undefined);
    const next = redirectOf(answer, url);
    if (next === undefined) {
      return { status: answer.statusCode, headers: flat(answer.headers), body: answer.body, url };
    }
    await drop(answer.body);
    url = next;
  }
  throw new Fault(
    'url_too_many_redirects',
    `The URL at ${target.url.host} redirects more than ${REDIRECTS} times.`,
  );
}

/** Lets go of a body that nobody wants. */
export async function drop(body: HttpAnswer['body']): Promise<void> {
  // A short one is read, so that its connection can be used again; the limit cuts a long one.
  await body.dump({ limit: 16_384 }).catch(() => undefined);
}

function redirectOf(answer: Dispatcher.ResponseData, from: URL): URL | undefined {
  const { location } = answer.headers;
  if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== 'string')
    return undefined;
  if (!URL.canParse(location, from.href)) return undefined;
  const url = new URL(location, from);
  url.username = '';
  url.password = '';
  return url;
}

/** Headers with one text each. */
export function flat(headers: Dispatcher.ResponseData['headers']): Record<string, string | undefined> {
  const entries = Object.entries(headers);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
