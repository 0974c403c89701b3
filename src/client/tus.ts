// The calls of tus 1.0 to our own door `/files`: create, where to go on, a part from an offset on.
import type { Readable } from 'node:stream';
import { type Agent, request } from 'undici';
import type { UploadAnswer } from '../contracts/http.js';
import { ApiError, toApiError } from './api-error.js';
import { NoAnswer, within } from './wire.js';

export interface TusPart {
  /** Of its first byte in the file. */
  readonly offset: number;
  /** Bytes; exactly so many must come. */
  readonly length: number;
  readonly content: AsyncIterable<Uint8Array>;
  /** SHA-256 in Base64: the server keeps the part whole or not at all. */
  readonly sha256?: string | undefined;
}

/** @throws ApiError for every answer that is no success; undici's errors and NoAnswer when none comes */
export interface TusCalls {
  /** @param key makes a repetition the same upload */
  create(bytes: number, metadata: Readonly<Record<string, string>>, key: string): Promise<UploadAnswer>;
  /** Bytes that the server has. */
  offset(jobId: string): Promise<number>;
  /** @returns bytes that the server has afterwards */
  send(jobId: string, part: TusPart, signal?: AbortSignal): Promise<number>;
}

const CALL_MS = 30_000;
/** Longest time in which no byte of a part leaves and no answer comes, ms. */
const STALL_MS = 120_000;
const VERSION = { 'tus-resumable': '1.0.0' };

export function tusCalls(base: string, dispatcher: Agent): TusCalls {
  const at = (jobId: string): string => `${base}/files/${encodeURIComponent(jobId)}`;
  return {
    create: async (bytes, metadata, key) => {
      const headers = { 'upload-length': `${bytes}`, 'upload-metadata': packed(metadata) };
      const { text } = await within(
        CALL_MS,
        ask(`${base}/files`, {
          method: 'POST',
          dispatcher,
          headers: { ...VERSION, ...headers, 'idempotency-key': key },
        }),
      );
      return JSON.parse(text) as UploadAnswer;
    },
    offset: async (jobId) => {
      const { headers } = await within(
        CALL_MS,
        ask(at(jobId), { method: 'HEAD', dispatcher, headers: VERSION }),
      );
      return offsetIn(headers);
    },
    send: (jobId, part, signal) => sendPart(at(jobId), dispatcher, part, signal),
  };
}

async function sendPart(
  url: string,
  dispatcher: Agent,
  { offset, length, content, sha256 }: TusPart,
  signal: AbortSignal | undefined,
): Promise<number> {
  const ending = new AbortController();
  const stalled = setTimeout(() => ending.abort(new NoAnswer(STALL_MS)), STALL_MS);
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of content) {
      stalled.refresh();
      yield piece;
    }
    stalled.refresh();
  };
  try {
    const { headers } = await ask(url, {
      method: 'PATCH',
      dispatcher,
      headers: {
        ...VERSION,
        'content-type': 'application/offset+octet-stream',
        'content-length': `${length}`,
        'upload-offset': `${offset}`,
        ...(sha256 === undefined ? {} : { 'upload-checksum': `sha256 ${sha256}` }),
      },
      // undici takes any async iterable; its types know of Readable alone.
      body: watched() as unknown as Readable,
      signal: signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]),
    });
    return offsetIn(headers);
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    clearTimeout(stalled);
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

async function ask(
  url: string,
  options: Parameters<typeof request>[1],
): Promise<{ headers: Headers; text: string }> {
  const { statusCode, headers, body } = await request(url, options);
  const text = await body.text();
  if (statusCode >= 300) throw toApiError(statusCode, text, headers['retry-after']);
  return { headers, text };
}

function offsetIn(headers: Headers): number {
  const text = headers['upload-offset'];
  if (typeof text === 'string' && /^\d{1,16}$/.test(text)) return Number(text);
  throw new ApiError('/files did not answer with an Upload-Offset: is this a Sluice server?');
}

const packed = (metadata: Readonly<Record<string, string>>): string =>
  Object.entries(metadata)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`.trim())
    .join(',');
