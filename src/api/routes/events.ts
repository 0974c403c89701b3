// Server-sent events: state and progress as the database shows them, resumable by the change stream's own token.
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { z } from 'zod';
import type { DatasetDocument, JobDocument } from '../../contracts/documents.js';
import { COLLECTIONS } from '../../contracts/documents.js';
import { eventQuerySchema } from '../../contracts/http-queries.js';
import { Fault } from '../../domain/fault.js';
import { type Change, type ChangeFeed, isLostToken, openChanges } from '../../store/changes.js';
import type { ApiDeps } from '../deps.js';
import { EventRows } from '../event-rows.js';
import { type App, checkQuery, mount } from '../route.js';
import { datasetView, jobView } from '../views.js';

const MAX_STREAMS = 64;
const BEAT_MS = 15_000;

type Send = (event: string, data: unknown, id?: string) => Promise<void>;

export function eventRoutes(app: App, deps: ApiDeps): void {
  let open = 0;
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/events',
      tag: 'events',
      summary: 'State and progress as they happen',
      description:
        'Events: `ready` (the stream is open; read the present state now), `state`, `progress`, and `reset` ' +
        '(what lay between cannot be told any more; read the present state). Last-Event-ID resumes.',
      query: eventQuerySchema,
      headers: z.object({ 'last-event-id': z.string().optional() }),
      answers: { 200: { description: 'The stream', schema: z.string(), type: 'text/event-stream' } },
      refusals: [422, 429, 503],
    },
    async (c) => {
      const filter = checkQuery(c, eventQuerySchema);
      if (open >= MAX_STREAMS) throw new Fault('too_many_streams');
      open += 1;
      const end = (): void => {
        open -= 1;
      };
      try {
        const { feed, lost } = await openFeed(deps, filter, c.req.header('last-event-id'));
        c.header('x-accel-buffering', 'no');
        return streamSSE(c, async (stream) => {
          try {
            await follow(deps, stream, feed, lost);
          } finally {
            end();
          }
        });
      } catch (error) {
        end();
        throw error;
      }
    },
  );
}

async function openFeed(
  { store }: ApiDeps,
  filter: z.output<typeof eventQuerySchema>,
  lastId: string | undefined,
): Promise<{ feed: ChangeFeed; lost: boolean }> {
  try {
    return { feed: await openChanges(store, filter, lastId || undefined), lost: false };
  } catch (error) {
    if (!lastId || !isLostToken(error)) throw error;
    return { feed: await openChanges(store, filter), lost: true };
  }
}

/** Sends until the client goes, the server stops, or the database is away; then clients come again with their last id. */
async function follow(
  deps: ApiDeps,
  stream: SSEStreamingApi,
  feed: ChangeFeed,
  lost: boolean,
): Promise<void> {
  const send: Send = (event, data, id) =>
    stream.writeSSE({ event, data: JSON.stringify(data), ...(id === undefined ? {} : { id }) });
  const stop = (): void => void feed.close();
  stream.onAbort(stop);
  deps.closing.addEventListener('abort', stop, { once: true });
  const beat = setInterval(() => void stream.write(': beat\n\n'), BEAT_MS);
  try {
    await send(lost ? 'reset' : 'ready', {}, feed.token());
    const rows = new EventRows(deps.store);
    for await (const change of feed) await tell(deps, rows, send, change);
  } catch (error) {
    deps.log.info({ err: error }, 'an event stream ended');
  } finally {
    clearInterval(beat);
    deps.closing.removeEventListener('abort', stop);
    await feed.close();
  }
}

async function tell(
  { config }: ApiDeps,
  rows: EventRows,
  send: Send,
  { collection, document, state, token }: Change,
): Promise<void> {
  const event = state ? 'state' : 'progress';
  if (collection === COLLECTIONS.datasets) {
    const row = document as DatasetDocument;
    const view = datasetView(row, await rows.uploadsOf(row), config);
    await send(event, { kind: 'dataset', ...view }, token);
  } else {
    const job = document as JobDocument;
    await send(event, { kind: 'job', ...jobView(job, await rows.contextOf(job)) }, token);
  }
}
