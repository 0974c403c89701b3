// Source `s3`: an object, or all objects below a prefix, by ranges in parallel, each range of one version.
import type { S3Keys } from '../../../contracts/s3-keys.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import type { S3Source } from '../../../domain/source.js';
import { etagDigests, fullDigests } from '../s3/digests.js';
import { asFound, type FoundObject, findBelow, type Patiently } from '../s3/list.js';
import { openObject } from '../s3/open.js';
import { S3_CODES } from '../s3/problem.js';
import { S3Store } from '../s3/store.js';
import type { Announced, FetchContext, SourceDeps, SourceFetcher } from '../source.js';
import { type TransferItem, transferFiles } from '../transfer/files.js';
import { Tries } from '../transfer/tries.js';
import type { Delivery } from '../url/answer.js';

/** Longer than any wait inside: a stall, a back-off, what a store asks for. */
const BOUND_MS = 120_000;

export function s3Source(deps: SourceDeps): SourceFetcher<S3Source> {
  return {
    kind: 's3',
    async fetch(context) {
      const store = new S3Store(deps.http, context.source, await keysOf(deps, context));
      try {
        const items = await context.waiting(listed(deps, store, context), BOUND_MS);
        return await context.waiting(transferFiles(context, deps.transfer, items), BOUND_MS);
      } catch (error) {
        if (!context.signal.aborted) throw error;
        return { paused: true, confirmed: context.confirmed() };
      } finally {
        store.close();
      }
    },
  };
}

async function keysOf(
  { secrets }: SourceDeps,
  { source, jobId }: FetchContext<S3Source>,
): Promise<S3Keys | undefined> {
  if (!source.sealed) return undefined;
  const keys = await secrets.open<S3Keys>(jobId);
  if (keys !== undefined) return keys;
  throw new Fault('s3_denied', 'The access keys are no longer kept; send it again with them.');
}

async function listed(
  { transfer }: SourceDeps,
  store: S3Store,
  context: FetchContext<S3Source>,
): Promise<TransferItem<Delivery>[]> {
  const { source, signal } = context;
  const patiently: Patiently = async (work) => {
    const tries = new Tries(transfer, { host: store.host, codes: S3_CODES });
    for (;;) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        await tries.next(error, signal);
      }
    }
  };
  if (!source.prefix) return [await oneObject(store, source, patiently, signal)];
  const tell = (count: number): void => context.advance(0, 0, `${count} objects found`);
  const objects = await findBelow(store, source, patiently, signal, tell);
  return objects.map((object) => itemOf(store, source, object, [], signal));
}

/** Without the right to list; a HEAD tells digests that a GET of a range does not. */
async function oneObject(
  store: S3Store,
  source: S3Source,
  patiently: Patiently,
  signal: AbortSignal,
): Promise<TransferItem<Delivery>> {
  const { key } = source;
  const head = await patiently(async () => {
    try {
      return await store.head(key, signal);
    } catch (error) {
      if (faultOf(error) === undefined || signal.aborted) throw error;
      // The answer to a HEAD holds no words: neither why it was refused, nor the region or the time of the store.
      const answer = await store.get(key, { range: 'bytes=0-0' }, signal);
      answer.body.destroy();
      return await store.head(key, signal);
    }
  });
  const object = { key, size: head.ContentLength ?? 0, etag: head.ETag };
  const name = key.slice(key.lastIndexOf('/') + 1);
  return itemOf(store, source, asFound(object, name), fullDigests(head), signal);
}

function itemOf(
  store: S3Store,
  { bucket }: S3Source,
  { key, path, size, etag }: FoundObject,
  announced: readonly Announced[],
  signal: AbortSignal,
): TransferItem<Delivery> {
  return {
    path,
    size,
    version: { size, ...(etag === undefined ? {} : { etag }) },
    opener: openObject(store, key),
    announced,
    async announcedBy({ answer: { headers }, validator }) {
      if (announced.length > 0) return [];
      const told = {
        etag: validator.etag,
        size: validator.size ?? size,
        encryption: headers['x-amz-server-side-encryption'],
      };
      return await etagDigests(store, bucket, key, told, signal);
    },
  };
}
