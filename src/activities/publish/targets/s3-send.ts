// One file into a bucket, from disk: whole when it is small, otherwise in parts that are never left behind.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { quoteName } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';
import { differs } from './local.js';
import type { TargetBucket } from './s3-bucket.js';
import { bareEtag, isDigest, type LocalFile } from './s3-digest.js';
import { several } from './several.js';

/** Parts of a file that are under way together; each streams, so none is held in memory. */
const TOGETHER = 4;
/** Small enough that all streams have their turn within a store's patience under a low limit on bandwidth. */
const CHUNK = 2 ** 17;

/** @returns once the store has said that it has the file. @throws Fault, the signal's reason */
export async function sendFile(
  bucket: TargetBucket,
  file: LocalFile,
  advance: (bytes: number) => void,
): Promise<void> {
  const etag =
    file.size <= file.partBytes
      ? await sendWhole(bucket, file, advance)
      : await sendParts(bucket, file, advance);
  if (isDigest(etag) && etag !== file.etag) throw differs(file.key);
}

async function sendWhole(
  bucket: TargetBucket,
  file: LocalFile,
  advance: (bytes: number) => void,
): Promise<string> {
  const { key: Key, from, size } = file;
  const answer = await bucket.ask(wordsOf(file), (client, abortSignal) => {
    const Body = bodyOf(bucket, from, { start: 0, end: size }, abortSignal);
    const ContentMD5 = Buffer.from(file.etag, 'hex').toString('base64');
    const input = {
      Bucket: bucket.bucket,
      Key,
      Body,
      ContentLength: size,
      ContentMD5,
      ContentType: typeOf(Key),
    };
    return client.send(new PutObjectCommand(input), { abortSignal });
  });
  advance(size);
  return bareEtag(answer.ETag);
}

async function sendParts(
  bucket: TargetBucket,
  file: LocalFile,
  advance: (bytes: number) => void,
): Promise<string> {
  const place = { Bucket: bucket.bucket, Key: file.key };
  const { UploadId } = await bucket.ask(wordsOf(file), (client, abortSignal) =>
    client.send(new CreateMultipartUploadCommand({ ...place, ContentType: typeOf(file.key) }), {
      abortSignal,
    }),
  );
  if (UploadId === undefined) throw new Fault('target_refused', `The store gave no id to ${wordsOf(file)}.`);
  try {
    const Parts = await parts(bucket, file, UploadId, advance);
    const order = new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } });
    const answer = await bucket.ask(wordsOf(file), (client, abortSignal) =>
      client.send(order, { abortSignal }),
    );
    return bareEtag(answer.ETag);
  } catch (error) {
    await bucket.abortUpload(file.key, UploadId);
    throw error;
  }
}

async function parts(
  bucket: TargetBucket,
  file: LocalFile,
  UploadId: string,
  advance: (bytes: number) => void,
): Promise<{ PartNumber: number; ETag: string | undefined }[]> {
  const { key: Key, from, size, partBytes } = file;
  const count = Math.ceil(size / partBytes);
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const done: { PartNumber: number; ETag: string | undefined }[] = [];
  await several(TOGETHER, numbers, async (PartNumber) => {
    const start = (PartNumber - 1) * partBytes;
    const end = Math.min(size, start + partBytes);
    const { ETag } = await bucket.ask(wordsOf(file), (client, abortSignal) => {
      const Body = bodyOf(bucket, from, { start, end }, abortSignal);
      const input = { Bucket: bucket.bucket, Key, UploadId, PartNumber, Body, ContentLength: end - start };
      return client.send(new UploadPartCommand(input), { abortSignal });
    });
    done.push({ PartNumber, ETag });
    advance(end - start);
  });
  return done.sort((a, b) => a.PartNumber - b.PartNumber);
}

/** @param range `end` is behind the last byte */
function bodyOf(
  { pace }: TargetBucket,
  from: string,
  { start, end }: { start: number; end: number },
  signal: AbortSignal,
): Readable {
  if (end === start) return Readable.from([]);
  const open = () => createReadStream(from, { start, end: end - 1, highWaterMark: CHUNK });
  // Whoever asked hears of an abort by the signal; without a listener this process would end of it.
  return Readable.from(paced(open, pace), { objectMode: false, signal }).on('error', () => undefined);
}

/** Opens the file when the first byte is wanted: a body that nobody reads holds nothing open. */
async function* paced(open: () => Readable, pace: TargetBucket['pace']): AsyncGenerator<Buffer> {
  for await (const chunk of open()) {
    await pace((chunk as Buffer).length);
    yield chunk as Buffer;
  }
}

const wordsOf = ({ key }: LocalFile): string => `the object ${quoteName(key)}`;

const TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  png: 'image/png',
  txt: 'text/plain; charset=utf-8',
};
/** So that a browser shows what it can show. */
const typeOf = (key: string): string =>
  TYPES[key.slice(key.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
