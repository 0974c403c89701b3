// The stand-in for Google: the token endpoint and what of Drive v3 is used, with its pages, masks, errors and limits.
// The real one cannot run here; what it answers was taken from its documentation.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Content, DriveContent, type Item, lengthOf, partOf } from './google-drive-content.js';
import { GoogleTokens } from './google-tokens.js';

/** An answer in place of the real one. */
export interface Instead {
  readonly status: number;
  /** Of `error.errors[]`. */
  readonly reason?: string;
  readonly headers?: Record<string, string>;
}

export interface DriveHeard {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly range: string | undefined;
  readonly linkKeys: string | undefined;
  readonly media: boolean;
  status: number;
  /** Bytes of content that were handed to the network. */
  sent: number;
}

export interface GoogleStandIn {
  readonly origin: string;
  readonly content: DriveContent;
  readonly tokens: GoogleTokens;
  readonly heard: DriveHeard[];
  /** Called before each request of the API is answered; may change anything, answer in its place, or never answer. */
  onRequest: (heard: DriveHeard, number: number) => Instead | 'silence' | undefined;
  /** Entries of a page, at most; the client may ask for fewer. */
  pageLimit: number;
  /** Bytes a second of each body. */
  pace: number | undefined;
  /** Closes the connection after so many bytes of a body. */
  cutAfter: number | undefined;
  /** Stops sending for ever after so many bytes of the next body; once. */
  stallOnceAfter: number | undefined;
  /** Largest export, bytes; larger ones have only a link. */
  exportLimit: number;
  close(): Promise<void>;
}

export async function startGoogle(): Promise<GoogleStandIn> {
  const server = createServer((request, response) => {
    answer(google, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const google: GoogleStandIn = {
    origin,
    content: new DriveContent(origin),
    tokens: new GoogleTokens(),
    heard: [],
    onRequest: () => undefined,
    pageLimit: 1000,
    pace: undefined,
    cutAfter: undefined,
    stallOnceAfter: undefined,
    exportLimit: 10 * 1024 * 1024,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return google;
}

async function answer(
  google: GoogleStandIn,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', google.origin);
  if (url.pathname === '/token') return await google.tokens.answer(request, response);
  const heard: DriveHeard = {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    range: request.headers.range,
    linkKeys: request.headers['x-goog-drive-resource-keys'] as string | undefined,
    media: url.searchParams.get('alt') === 'media' || /export/.test(url.pathname),
    status: 0,
    sent: 0,
  };
  google.heard.push(heard);
  response.on('close', () => {
    heard.status = response.statusCode;
  });
  const instead = google.onRequest(heard, google.heard.length);
  if (instead === 'silence') return;
  if (instead !== undefined) return refuse(response, instead);
  const who = google.tokens.holderOf(request.headers.authorization);
  if (who === undefined) return refuse(response, { status: 401, reason: 'authError' });
  if (url.pathname === '/drive/v3/files') {
    const page = list(google, who, heard);
    if ('status' in page) refuse(response, page);
    else json(response, page);
    return;
  }
  const [, id = '', rest] = /^\/drive\/v3\/files\/([^/]+)(\/export)?$/.exec(url.pathname) ?? [];
  const [, linked] = /^\/export-link\/([^/]+)$/.exec(url.pathname) ?? [];
  const item = google.content.seenBy(
    who,
    linked ?? id,
    heard.query.get('supportsAllDrives') === 'true' || linked !== undefined || rest !== undefined,
    heard.linkKeys,
  );
  if (item === undefined) return refuse(response, { status: 404, reason: 'notFound' });
  if (rest !== undefined || linked !== undefined)
    return await exported(google, item, heard, response, linked !== undefined);
  if (heard.media) return await media(google, item, heard, response);
  const fields = heard.query.get('fields') ?? 'kind,id,name,mimeType';
  json(response, google.content.masked(item, fields));
}

/** A page of a folder, or why not. */
function list(google: GoogleStandIn, who: string, { query }: DriveHeard): Instead | object {
  const asked = /^'([^']+)' in parents and trashed = false$/.exec(query.get('q') ?? '');
  const size = Number(query.get('pageSize') ?? 100);
  const token = query.get('pageToken');
  const at = token === null ? 0 : Number(/^page-(\d+)$/.exec(token)?.[1] ?? Number.NaN);
  if (asked?.[1] === undefined || !(size >= 1 && size <= 1000) || Number.isNaN(at)) {
    return { status: 400, reason: 'invalid' };
  }
  const allDrives =
    query.get('supportsAllDrives') === 'true' && query.get('includeItemsFromAllDrives') === 'true';
  const drive = query.get('driveId') ?? undefined;
  if ((query.get('corpora') === 'drive') !== (drive !== undefined)) {
    return { status: 400, reason: 'invalid' };
  }
  const found = google.content.childrenOf(who, asked[1], allDrives, drive);
  if (found === undefined) return { status: 404, reason: 'notFound' };
  const end = at + Math.min(size, google.pageLimit);
  const fields = /files\((.*)\)/.exec(query.get('fields') ?? '')?.[1] ?? 'kind,id,name,mimeType';
  return {
    incompleteSearch: false,
    files: found.slice(at, end).map((item) => google.content.masked(item, fields)),
    ...(end < found.length ? { nextPageToken: `page-${end}` } : {}),
  };
}

async function media(
  google: GoogleStandIn,
  item: Item,
  heard: DriveHeard,
  response: ServerResponse,
): Promise<void> {
  const { content, mimeType, abusive } = item;
  if (content === undefined) return refuse(response, { status: 403, reason: 'fileNotDownloadable' });
  if (abusive === true) return refuse(response, { status: 403, reason: 'cannotDownloadAbusiveFile' });
  if (item.noDownload === true) return refuse(response, { status: 403, reason: 'cannotDownloadFile' });
  const total = lengthOf(content);
  const match = /^bytes=(\d+)-(\d*)$/.exec(heard.range ?? '');
  const start = match === null ? 0 : Number(match[1]);
  const end = match === null || match[2] === '' ? total : Math.min(Number(match[2]) + 1, total);
  if (match !== null && start >= total) {
    response.writeHead(416, { 'content-range': `bytes */${total}` }).end();
    return;
  }
  response.writeHead(match === null ? 200 : 206, {
    'content-type': mimeType,
    'content-length': end - start,
    ...(match === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${total}` }),
  });
  await send(google, response, { content, start, end }, heard);
}

async function exported(
  google: GoogleStandIn,
  { exports }: Item,
  heard: DriveHeard,
  response: ServerResponse,
  byLink: boolean,
): Promise<void> {
  const content = exports?.[heard.query.get('mimeType') ?? ''];
  if (content === undefined) return refuse(response, { status: 403, reason: 'fileNotExportable' });
  if (!byLink && content.length > google.exportLimit) {
    return refuse(response, { status: 403, reason: 'exportSizeLimitExceeded' });
  }
  // Chunked: the size of an export is known to nobody before its end.
  response.writeHead(200, { 'content-type': heard.query.get('mimeType') ?? '' });
  await send(google, response, { content, start: 0, end: content.length }, heard);
}

async function send(
  google: GoogleStandIn,
  response: ServerResponse,
  { content, start, end }: { content: Content; start: number; end: number },
  heard: DriveHeard,
): Promise<void> {
  while (heard.sent < end - start) {
    const { pace, cutAfter, stallOnceAfter } = google;
    if (stallOnceAfter !== undefined && heard.sent >= stallOnceAfter) {
      google.stallOnceAfter = undefined;
      return;
    }
    if (cutAfter !== undefined && heard.sent >= cutAfter) {
      response.socket?.destroySoon();
      return;
    }
    const step = pace === undefined ? 256 * 1024 : Math.max(1, Math.floor(pace / 100));
    const room = Math.min(
      step,
      end - start - heard.sent,
      (cutAfter ?? Number.POSITIVE_INFINITY) - heard.sent,
    );
    const part = partOf(content, start + heard.sent, room);
    if (response.destroyed) return;
    const gone = await new Promise((done) => response.write(part, (error) => done(error)));
    if (gone !== null && gone !== undefined) return;
    heard.sent += part.length;
    if (pace !== undefined) await sleep(10);
  }
  response.end();
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
}

/** As Google words it: the reason stands in a list. */
export function refuse(
  response: ServerResponse,
  { status, reason = 'backendError', headers }: Instead,
): void {
  const message = `refused: ${reason}`;
  const errors = [{ message, domain: 'global', reason }];
  const body = { error: { code: status, message, errors } };
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers });
  response.end(JSON.stringify(body));
}
