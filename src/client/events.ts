// Server-sent events as an async iterator: comes again after every break, with the id of the last event it saw.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import type { DatasetResource, JobResource } from '../contracts/http.js';
import { toApiError } from './api-error.js';

export type ServerEvent =
  | { readonly event: 'ready' | 'reset'; readonly id?: string }
  | {
      readonly event: 'state' | 'progress';
      readonly id?: string;
      readonly data: ({ kind: 'dataset' } & DatasetResource) | ({ kind: 'job' } & JobResource);
    };

export interface EventFilter {
  readonly dataset?: string;
  readonly user_email?: string;
}

const RETRY_MS = 1_000;
/** The server sends a comment every 15 s: silence for longer means that the connection is dead. */
const SILENCE_MS = 40_000;

/**
 * Yields until the signal ends it.
 * @throws ApiError when the server refuses the stream for good (4xx other than 429)
 */
export async function* followEvents(
  base: string,
  dispatcher: Dispatcher,
  filter: EventFilter,
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<ServerEvent, void> {
  const query = new URLSearchParams(Object.entries(filter));
  let lastId: string | undefined;
  while (!signal.aborted) {
    try {
      for await (const event of oneStream(`${base}/api/v1/events?${query}`, dispatcher, lastId, signal)) {
        lastId = event.id ?? lastId;
        yield event;
      }
    } catch (error) {
      if (isFinal(error)) throw error;
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function* oneStream(
  url: string,
  dispatcher: Dispatcher,
  lastId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const headers = {
    accept: 'text/event-stream',
    ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
  };
  const answer = await request(url, { dispatcher, headers, signal, bodyTimeout: SILENCE_MS });
  if (answer.statusCode !== 200) throw toApiError(answer.statusCode, await answer.body.text());
  answer.body.setEncoding('utf8');
  let rest = '';
  for await (const text of answer.body as AsyncIterable<string>) {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event !== undefined) yield event;
    }
  }
}

function parseBlock(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, (fields.get(name) ?? '') + value);
  }
  const event = fields.get('event');
  const id = fields.get('id');
  if (event === undefined) return undefined;
  const data: unknown = JSON.parse(fields.get('data') ?? '{}');
  return { event, data, ...(id === undefined ? {} : { id }) } as ServerEvent;
}

function isFinal(error: unknown): boolean {
  const { status = 0 } = error as { status?: number };
  return status >= 400 && status < 500 && status !== 429;
}
