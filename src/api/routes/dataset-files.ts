// What a published product shows of itself: its pictures and its manifest.
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { z } from 'zod';
import { isErrno } from '../../bytes/disk-fault.js';
import type { ProductSummary } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import { streamBag } from '../bag.js';
import type { ApiDeps } from '../deps.js';
import { type ApiContext, type App, checkQuery, mount } from '../route.js';
import { requireDataset, uuidParam } from './datasets.js';

const binary = z.any().meta({ type: 'string', format: 'binary' });

const previewQuery = z.object({
  axis: z.enum(['x', 'y', 'z']).default('z').meta({ description: 'The middle slice across this axis' }),
});
const histogramQuery = z.object({
  format: z.enum(['json', 'png']).default('json').meta({ description: 'Counts, or a picture of them' }),
});

export function datasetFileRoutes(app: App, deps: ApiDeps): void {
  const picture = { description: 'The picture', schema: binary, type: 'image/png' };
  const unchanged = { description: 'Unchanged (If-None-Match)' };
  const common = { method: 'get', tag: 'datasets', params: uuidParam, refusals: [404, 422, 503] } as const;
  mount(
    app,
    {
      ...common,
      path: '/api/v1/datasets/{uuid}/preview',
      summary: 'A picture of the data: a middle slice',
      query: previewQuery,
      answers: { 200: picture, 304: unchanged },
    },
    (c) => {
      const { axis } = checkQuery(c, previewQuery);
      return sendPicture(c, deps, ({ preview, pictures }) => (axis === 'z' ? preview : pictures?.[axis]));
    },
  );
  mount(
    app,
    {
      ...common,
      path: '/api/v1/datasets/{uuid}/strip',
      summary: 'A picture of several slices, or timesteps, side by side',
      answers: { 200: picture, 304: unchanged },
    },
    (c) => sendPicture(c, deps, ({ pictures }) => pictures?.strip),
  );
  mount(
    app,
    {
      ...common,
      path: '/api/v1/datasets/{uuid}/histogram',
      summary: 'How often which values occur',
      query: histogramQuery,
      answers: {
        200: { description: 'The counts', schema: z.record(z.string(), z.unknown()) },
        304: unchanged,
      },
    },
    (c) =>
      checkQuery(c, histogramQuery).format === 'png'
        ? sendPicture(c, deps, ({ pictures }) => pictures?.histogram)
        : sendPicture(c, deps, ({ pictures }) => pictures?.counts, 'application/json'),
  );
  manifestRoute(app, deps);
  bagRoute(app, deps);
}

function manifestRoute(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/datasets/{uuid}/manifest',
      tag: 'datasets',
      summary: 'The manifest of the published product',
      params: uuidParam,
      answers: {
        200: { description: 'The manifest', schema: z.record(z.string(), z.unknown()) },
        304: { description: 'Unchanged (If-None-Match)' },
      },
      refusals: [404, 503],
    },
    async (c) => {
      const { product } = await requireProduct(c, deps);
      const { store, key } = product.manifest;
      return await sendFile(c, deps.roots[store], join(deps.roots[store], key), 'application/json', product);
    },
  );
}

function bagRoute(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/datasets/{uuid}/bag',
      tag: 'datasets',
      summary: 'The whole product as a BagIt 1.0 bag in a tar',
      params: uuidParam,
      answers: {
        200: { description: 'The tar, made while it is sent', schema: binary, type: 'application/x-tar' },
        304: { description: 'Unchanged (If-None-Match)' },
      },
      refusals: [404, 422, 503],
    },
    async (c) => {
      const { uuid, name, product } = await requireProduct(c, deps);
      const { store, key, digest } = product.manifest;
      const headers = cacheHeaders(product);
      if (isKnown(c.req.header('if-none-match'), headers.etag)) return c.body(null, 304, headers);
      const directory = dirname(join(deps.roots[store], key));
      const tar = await streamBag({ uuid, name, directory, manifestDigest: digest });
      return c.body(Readable.toWeb(tar) as ReadableStream, 200, {
        ...headers,
        'content-type': 'application/x-tar',
        'content-disposition': `attachment; filename="${uuid}.tar"`,
      });
    },
  );
}

async function sendPicture(
  c: ApiContext,
  deps: ApiDeps,
  which: (product: ProductSummary) => string | null | undefined,
  type = 'image/png',
): Promise<Response> {
  const { uuid, product } = await requireProduct(c, deps);
  const path = which(product);
  if (!path) throw new Fault('not_found', 'This product has no such picture.');
  return await sendFile(c, deps.roots.out, join(deps.roots.out, uuid, path), type, product);
}

async function requireProduct(
  c: ApiContext,
  deps: ApiDeps,
): Promise<{ uuid: string; name: string; product: ProductSummary }> {
  const row = await requireDataset(c, deps);
  const product = row.sluice?.product;
  if (!product) throw new Fault('not_found', 'This dataset has no product yet.');
  return { uuid: row.uuid, name: row.name, product };
}

/** A small file of a product. Its name is as good as the product's digest: a new product has a new one. */
async function sendFile(
  c: ApiContext,
  root: string,
  path: string,
  type: string,
  product: ProductSummary,
): Promise<Response> {
  const headers = cacheHeaders(product);
  if (isKnown(c.req.header('if-none-match'), headers.etag)) return c.body(null, 304, headers);
  const bytes = await readBelow(root, path);
  return c.body(bytes, 200, { ...headers, 'content-type': type });
}

/** The dataset may be converted again, so a cache has to ask; the answer is short when nothing changed. */
const cacheHeaders = ({ manifest }: ProductSummary) => ({
  etag: `"${manifest.digest.slice(0, 32)}"`,
  'cache-control': 'private, no-cache',
});

/** Whether the caller has it: a list of tags, which proxies may have made weak, or any at all (RFC 9110, 13.1.2). */
const isKnown = (tags: string | undefined, etag: string): boolean =>
  (tags ?? '').split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));

/** Reads a file that must lie below the root, links resolved. */
async function readBelow(root: string, path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const [real, realRoot] = await Promise.all([realpath(path), realpath(root)]);
    if (!real.startsWith(realRoot + sep)) throw new Fault('not_found');
    return new Uint8Array(await readFile(real));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw new Fault('not_found', 'The file is not there any more.');
    throw error;
  }
}
