// Reading a server's answer: status → fault or try-again, which bytes it brings, of which version, with which digest.
import type { ExtraDigest } from '../../../bytes/hash.js';
import type { Validator } from '../../../bytes/journal.js';
import type { Range } from '../../../bytes/ranges.js';
import { Fault } from '../../../domain/fault.js';
import { drop, type HttpAnswer } from '../../../net/http.js';
import type { LaneBody } from '../../../net/lane.js';
import type { Announced } from '../source.js';
import { type Aside, type Opened, SourceChanged, TryAgain } from '../transfer/port.js';

type Headers = HttpAnswer['headers'];

/** An answer that brings bytes: those of `range` (end Infinity = until it ends). */
export interface Delivery extends Opened {
  readonly answer: HttpAnswer;
}

/**
 * @param asked the range that was asked for, or undefined when the whole was
 * @throws Fault for answers that trying again does not change, TryAgain for the others; SourceChanged for 416
 */
export async function readDelivery(answer: HttpAnswer, asked: Range | undefined): Promise<Delivery> {
  const { status, headers } = answer;
  if (status === 200 || status === 203) {
    const size = lengthOf(headers);
    return {
      answer,
      body: answer.body,
      partial: false,
      range: { start: 0, end: size ?? Number.POSITIVE_INFINITY },
      validator: validatorOf(headers, size),
    };
  }
  if (status === 206 && asked !== undefined) {
    const content = contentRange(headers['content-range']);
    if (content !== undefined && content.start === asked.start) {
      const validator = validatorOf(headers, content.total);
      return { answer, body: answer.body, partial: true, range: content, validator };
    }
  }
  await drop(answer.body);
  throw refusal(answer, asked);
}

/**
 * The same of a range that comes beside the main loop.
 * @throws TryAgain for every other answer: `readDelivery` has the words for them
 */
export function readAside(body: LaneBody, asked: Range): Aside {
  const { status, headers } = body.head;
  const content = status === 206 ? contentRange(headers['content-range']) : undefined;
  if (content?.start === asked.start && content.end - content.start === body.head.length) {
    return { body, range: content, validator: validatorOf(headers, content.total) };
  }
  body.stop();
  throw new TryAgain('broken', { cause: new Error(`status ${status}`) });
}

/** What every GET of bytes says: of this range, and as they are. */
export function bytesWanted(asked: Range | undefined): Record<string, string> {
  return {
    accept: '*/*',
    'accept-encoding': 'identity',
    'user-agent': 'sluice',
    ...(asked === undefined ? {} : { range: `bytes=${asked.start}-${asked.end - 1}` }),
  };
}

/** The If-Range header of a version: its strong ETag or its date. */
export function ifRange(validator: Validator): string | undefined {
  const strong = validator.etag?.startsWith('W/') === true ? undefined : validator.etag;
  return strong ?? validator.lastModified;
}

/** Digests of the whole file that the server told, whichever part it sent. */
export function announcedDigests({ answer, partial }: Delivery): Announced[] {
  const { headers } = answer;
  const fields = [headers['repr-digest'], headers.digest, partial ? undefined : headers['content-digest']];
  const found = fields.flatMap((field) => (field ?? '').split(',').map(oneDigest));
  const md5 = partial ? undefined : headers['content-md5'];
  if (md5 !== undefined) found.push({ algorithm: 'md5', hex: hexOf(md5) });
  return found.filter((one) => one !== undefined && one.hex !== '') as Announced[];
}

/** A map, because an object answers also to names that all objects have. */
const ALGORITHMS = new Map<string, 'sha256' | ExtraDigest>([
  ['md5', 'md5'],
  ['sha', 'sha1'],
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
]);

function oneDigest(text: string): Announced | undefined {
  const at = text.indexOf('=');
  const algorithm = ALGORITHMS.get(text.slice(0, at).trim().toLowerCase());
  // Structured fields put the bytes between colons, the older Digest header does not.
  return (
    algorithm && {
      algorithm,
      hex: hexOf(
        text
          .slice(at + 1)
          .trim()
          .replace(/^:|:$/g, ''),
      ),
    }
  );
}

const hexOf = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');

function refusal({ status, headers, url }: HttpAnswer, asked: Range | undefined): Error {
  const host = url.host;
  if (status === 404 || status === 410)
    return new Fault('url_not_found', `The server ${host} has no such file (${status}).`);
  if (status === 401 || status === 403)
    return new Fault('url_denied', `The server ${host} refused access (${status}).`);
  if (status === 416 && asked?.start === 0) return new Fault('empty_file', `The file at ${host} is empty.`);
  if (status === 416) return new SourceChanged('the file ends before the range');
  const again = status === 408 || status === 425 || status === 429 || status === 206 || status >= 500;
  if (again)
    return new TryAgain('broken', {
      afterMs: retryAfterMs(headers['retry-after']),
      tooMuch: status === 429 || status >= 500,
      cause: new Error(`status ${status}`),
    });
  return new Fault('url_refused', `The server ${host} answered with status ${status}.`);
}

function contentRange(text = ''): (Range & { total: number | undefined }) | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(text.trim());
  if (match === null) return undefined;
  const total = match[3] === '*' ? undefined : Number(match[3]);
  const range = { start: Number(match[1]), end: Number(match[2]) + 1, total };
  return range.end > range.start && range.end <= (total ?? range.end) ? range : undefined;
}

function validatorOf(headers: Headers, size: number | undefined): Validator {
  const { etag, 'last-modified': lastModified } = headers;
  return {
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
    ...(size === undefined ? {} : { size }),
  };
}

function lengthOf(headers: Headers): number | undefined {
  const text = headers['content-length'];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function retryAfterMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}
