// The activity publishTo against real stores: what arrives, what is proven, and what is left behind when it does not.
import { writeFile } from 'node:fs/promises';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Target } from '../../src/contracts/targets.js';
import { S3Proxy } from '../support/s3-proxy.js';
import { BUCKET, KEYS, S3Server } from '../support/s3-server.js';
import { CONTENTS, LISTS, MIB, newEnv, TargetBench } from '../support/target-bench.js';

let server: S3Server;
let bench: TargetBench;

beforeAll(async () => {
  server = await S3Server.start();
});
afterAll(async () => await server.close());
beforeEach(async () => {
  bench = await TargetBench.open();
});
afterEach(async () => await bench.close());

const archive = (endpoint = server.origin): Target => ({
  kind: 's3',
  name: 'archive',
  bucket: BUCKET,
  prefix: 'products/',
  endpoint,
  region: 'us-east-1',
  pathStyle: true,
  keys: KEYS,
});

const publish = (target: Target, env = newEnv()) => bench.publish(target, env);

const place = { Bucket: BUCKET };
const base = (): string => `products/${bench.uuid}/`;

async function keysThere(): Promise<string[]> {
  const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ ...place, Prefix: base() }));
  return Contents.map(({ Key = '' }) => Key.slice(base().length)).sort();
}

async function contentOf(path: string): Promise<Buffer> {
  const { Body } = await server.client.send(new GetObjectCommand({ ...place, Key: base() + path }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function unfinished(): Promise<number> {
  const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand(place));
  return Uploads.filter(({ Key }) => Key?.startsWith(base())).length;
}

test('a product arrives whole, the large file in parts, and is read back', async () => {
  const answer = await publish(archive());
  expect(answer).toMatchObject({ url: `s3://${BUCKET}/${base()}`, files: 6, readBack: 6 });
  expect(answer.sent).toBe(answer.bytes);
  expect(await keysThere()).toEqual([...Object.keys(CONTENTS), ...LISTS].sort());
  for (const [path, content] of Object.entries(CONTENTS)) {
    expect((await contentOf(path)).equals(content)).toBe(true);
  }
  expect(await unfinished()).toBe(0);
});

test('a second time nothing is sent but what is missing or other, and what is not of the product goes', async () => {
  await publish(archive());
  await server.put(`${base()}old/leftover.bin`, Buffer.from('of an earlier product'));
  await server.put(`${base()}visus.idx`, Buffer.from('(version)\n7\n'));
  const answer = await publish(archive());
  expect(answer.sent).toBe(CONTENTS['visus.idx'].length);
  expect(await keysThere()).not.toContain('old/leftover.bin');
  expect(await contentOf('visus.idx')).toEqual(CONTENTS['visus.idx']);
});

test('what was changed in the store after the upload is found, although its ETag says nothing', async () => {
  await publish(archive());
  const other = Buffer.from(CONTENTS['visus.idx']);
  other.write('9', 10);
  await writeFile(server.pathOf(`${base()}visus.idx`), other);
  await bench.forgetReceipts();
  await expect(publish(archive())).rejects.toMatchObject({
    type: 'target_differs',
    message: expect.stringContaining('visus.idx'),
  });
});

test('what is replaced between upload and proof is found by its ETag', async () => {
  const proxy = await S3Proxy.start(server.origin);
  let lists = 0;
  proxy.faults.onRequest = async ({ url = '' }) => {
    if (url.includes('list-type=2') && ++lists === 2) {
      await server.put(`${base()}visus/large.bin`, Buffer.alloc(40 * MIB));
    }
    return undefined;
  };
  try {
    await expect(publish(archive(proxy.origin))).rejects.toMatchObject({ type: 'target_differs' });
  } finally {
    await proxy.close();
  }
});

test('a product that rotted here goes nowhere', async () => {
  await writeFile(bench.pathOf('visus.idx'), '(version)\n8\n');
  await expect(publish(archive())).rejects.toMatchObject({ type: 'product_damaged', nonRetryable: true });
  expect(await keysThere()).not.toContain('visus.idx');
  expect(await keysThere()).not.toContain('manifest.json');
});

test('a cancellation leaves no unfinished upload, nor do those of an attempt that died', async () => {
  const dead = { ...place, Key: `${base()}visus/large.bin` };
  await server.client.send(new CreateMultipartUploadCommand(dead));
  expect(await unfinished()).toBe(1);
  const proxy = await S3Proxy.start(server.origin);
  const env = newEnv();
  let atCancel = 0;
  proxy.faults.onRequest = async ({ url = '' }) => {
    if (!url.includes('partNumber=2')) return undefined;
    atCancel = await unfinished();
    env.cancel();
    return undefined;
  };
  try {
    await expect(publish(archive(proxy.origin), env)).rejects.toMatchObject({ name: 'CancelledFailure' });
  } finally {
    await proxy.close();
  }
  expect(atCancel).toBe(1);
  expect(await unfinished()).toBe(0);
  expect(await keysThere()).not.toContain('manifest.json');
});

test('a store that is down, and one that refuses, are told apart, and no secret is told', async () => {
  const down = archive('http://127.0.0.1:9');
  await expect(publish(down)).rejects.toMatchObject({ type: 'target_unreachable', nonRetryable: false });
  const stranger = {
    ...archive(),
    keys: { accessKeyId: KEYS.accessKeyId, secretAccessKey: 'wrong-but-secret' },
  };
  const refused: unknown = await publish(stranger).catch((error: unknown) => error);
  expect(refused).toMatchObject({ type: 'target_denied', nonRetryable: true });
  expect(JSON.stringify(refused)).not.toContain('wrong-but-secret');
  const missing = { ...archive(), bucket: 'no-such-bucket' };
  await expect(publish(missing)).rejects.toMatchObject({ type: 'target_refused' });
});

test('a target that is not in the settings any more is a failure with its name', async () => {
  const asked = bench.publish({ ...archive(), name: 'gone' }, newEnv(), { targets: [] });
  await expect(asked).rejects.toMatchObject({
    type: 'target_unknown',
    message: expect.stringContaining('gone'),
  });
});
