// What a published product shows of itself: its picture and its manifest.
import { readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../../bytes/disk-fault.js';
import type { ProductSummary } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import type { ApiDeps } from '../deps.js';
import { type ApiContext, type App, mount } from '../route.js';
import { requireDataset, uuidParam } from './datasets.js';

const binary = z.any().meta({ type: 'string', format: 'binary' });

export function datasetFileRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/api/v1/datasets/{uuid}/preview',
      tag: 'datasets',
      summary: 'A picture of the data',
      params: uuidParam,
      answers: {
        200: { description: 'The picture', schema: binary, type: 'image/png' },
        304: { description: 'Unchanged (If-None-Match)' },
      },
      refusals: [404, 503],
    },
    async (c) => {
      const { uuid, product } = await requireProduct(c, deps);
      if (product.preview === null) throw new Fault('not_found', 'This product has no picture.');
      const path = join(deps.roots.out, uuid, product.preview);
      return await sendFile(c, deps.roots.out, path, 'image/png', product);
    },
  );
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

async function requireProduct(
  c: ApiContext,
  deps: ApiDeps,
): Promise<{ uuid: string; product: ProductSummary }> {
  const row = await requireDataset(c, deps);
  const product = row.sluice?.product;
  if (!product) throw new Fault('not_found', 'This dataset has no product yet.');
  return { uuid: row.uuid, product };
}

/** A small file of a product. Its name is as good as the product's digest: a new product has a new one. */
async function sendFile(
  c: ApiContext,
  root: string,
  path: string,
  type: string,
  { manifest }: ProductSummary,
): Promise<Response> {
  const etag = `"${manifest.digest.slice(0, 32)}"`;
  // The dataset may be converted again, so a cache has to ask; the answer is short when nothing changed.
  const headers = { etag, 'cache-control': 'private, no-cache' };
  if (c.req.header('if-none-match') === etag) return c.body(null, 304, headers);
  const bytes = await readBelow(root, path);
  return c.body(bytes, 200, { ...headers, 'content-type': type });
}

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
