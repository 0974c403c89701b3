// Target `s3`: the product below <prefix><uuid>/ of a bucket, and proven by what the store says and gives back.
import { createHash } from 'node:crypto';
import type { S3Target } from '../../../contracts/targets.js';
import { differs } from './local.js';
import type { Outgoing, Publisher } from './publisher.js';
import { type Placed, TargetBucket } from './s3-bucket.js';
import { isDigest, type LocalFile, localFile } from './s3-digest.js';
import { sendFile } from './s3-send.js';
import { several } from './several.js';

/** Small files that are under way together. */
const TOGETHER = 6;
/** Below so many bytes in all, every object is read back; above, a sample of so many bytes or less. */
const READ_BACK_BYTES = 256 * 2 ** 20;

export const s3Publisher: Publisher<S3Target> = {
  kind: 's3',
  async publish(outgoing) {
    const { target, uuid, signal, pace } = outgoing;
    const bucket = new TargetBucket(target, signal, pace);
    const base = `${target.prefix}${uuid}/`;
    try {
      await bucket.clearUploads(base);
      const { files, sent } = await send(bucket, base, outgoing);
      const readBack = await prove(bucket, base, files, outgoing);
      return { url: urlOf(target, uuid), sent, readBack };
    } finally {
      bucket.close();
    }
  },

  async holds({ target, uuid, files, signal, pace }) {
    const bucket = new TargetBucket(target, signal, pace);
    const base = `${target.prefix}${uuid}/`;
    try {
      const there = await bucket.list(base);
      return (
        there.size === files.length && files.every(({ path, size }) => there.get(base + path)?.size === size)
      );
    } finally {
      bucket.close();
    }
  },
};

/** Sends what is not there, the manifest when all the others are, and removes what the product does not have. */
async function send(
  bucket: TargetBucket,
  base: string,
  { directory, files: entries, signal, advance }: Outgoing<S3Target>,
): Promise<{ files: readonly LocalFile[]; sent: number }> {
  const there = await bucket.list(base);
  const files: LocalFile[] = [];
  let sent = 0;
  const one = async (entry: (typeof entries)[number]): Promise<void> => {
    const file = await localFile(directory, entry, `${base}${entry.path}`, signal);
    files.push(file);
    const isThere = isEqual(file, there.get(file.key));
    if (!isThere) sent += file.size;
    if (isThere) advance(file.size, file.path);
    else await sendFile(bucket, file, (bytes) => advance(bytes, file.path));
  };
  const last = entries.at(-1);
  await several(TOGETHER, entries.slice(0, -1), one);
  const wanted = new Set(entries.map(({ path }) => `${base}${path}`));
  await several(
    TOGETHER,
    [...there.keys()].filter((key) => !wanted.has(key)),
    (key) => bucket.remove(key),
  );
  if (last !== undefined) await one(last);
  return { files, sent };
}

/** @returns so many objects were read back and hashed. @throws Fault `target_differs` */
async function prove(
  bucket: TargetBucket,
  base: string,
  files: readonly LocalFile[],
  { advance }: Outgoing<S3Target>,
): Promise<number> {
  const there = await bucket.list(base);
  for (const file of files) if (!hasIts(file, there.get(file.key))) throw differs(file.key);
  const chosen = choose(files, there);
  await several(TOGETHER, files, async (file) => {
    if (chosen.has(file)) await readBack(bucket, file);
    advance(file.size, `${file.path} read back`);
  });
  return chosen.size;
}

/** All of a small product; of a large one a random sample, and what the store's ETag says nothing about. */
function choose(files: readonly LocalFile[], there: ReadonlyMap<string, Placed>): ReadonlySet<LocalFile> {
  const untold = files.filter(({ key }) => !isDigest(there.get(key)?.etag ?? ''));
  const chosen = new Set(untold);
  let left = READ_BACK_BYTES;
  for (const file of shuffled(files)) {
    if (file.size > left) continue;
    left -= file.size;
    chosen.add(file);
  }
  return chosen;
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

async function readBack(bucket: TargetBucket, file: LocalFile): Promise<void> {
  const sha256 = await bucket.read(file.key, async (body) => {
    const hash = createHash('sha256');
    for await (const chunk of body) {
      await bucket.pace((chunk as Buffer).length);
      hash.update(chunk as Buffer);
    }
    return hash.digest('hex');
  });
  if (sha256 !== file.sha256) throw differs(file.key);
}

const isEqual = (file: LocalFile, placed: Placed | undefined): boolean =>
  placed?.size === file.size && placed.etag === file.etag;

/** As far as the store tells it. */
const hasIts = (file: LocalFile, placed: Placed | undefined): boolean =>
  placed?.size === file.size && (placed.etag === file.etag || !isDigest(placed.etag));

function urlOf({ url, bucket, prefix }: S3Target, uuid: string): string {
  return url === undefined ? `s3://${bucket}/${prefix}${uuid}/` : `${url}${uuid}/`;
}
