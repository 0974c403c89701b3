// Uploads through tus on a whole Sluice: processes die or stand still, uploads expire and are ended, disks fill up.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Upload } from 'tus-js-client';
import { someBytes } from '../contract/sources/bench.js';
import { tree } from '../support/data.js';
import { postJson } from '../support/send.js';
import { kill, Stack, until } from '../support/stack.js';
import { ask, beginPart, create, NATIVE, offsetOf, send, type TusAnswer } from '../support/tus.js';

const MIB = 1024 * 1024;
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function expectPublished(uuid: string, name: string, bytes: Buffer): Promise<void> {
  await stack.settled(uuid);
  expect(sha256(readFileSync(join(stack.out, uuid, name)))).toBe(sha256(bytes));
}

const noLeftovers = (jobId: string): Promise<void> =>
  until(
    'leftovers are gone',
    async () => !tree(join(stack.in, '.staging')).some((name) => name.startsWith(jobId)),
  );

/** Sends as soon as the lease of a process that died or stands still has run out. */
async function sendPatiently(url: string, bytes: Buffer): Promise<TusAnswer> {
  for (let tries = 0; ; tries += 1) {
    const offset = await offsetOf(url);
    const answer = await send(url, offset, bytes.subarray(offset));
    if (answer.status !== 423 || tries > 60) return answer;
    await sleep(500);
  }
}

test('an upload is a workflow from its creation; API and worker die in the middle of it, and it goes on', async () => {
  const bytes = someBytes(24 * MIB);
  const { url, jobId, uuid } = await create(stack.apiUrl, bytes.length, { ...NATIVE, filename: 'a.bin' });
  await until('its workflow waits', async () => {
    const found = await stack.client.workflow.getHandle(`upload:${jobId}`).describe();
    return found.status.name === 'RUNNING';
  });
  expect((await send(url, 0, bytes.subarray(0, 8 * MIB))).status).toBe(204);
  const cut = await beginPart(url, 8 * MIB, 16 * MIB, bytes.subarray(8 * MIB, 15 * MIB));
  await until('more came', async () => (await offsetOf(url)) > 12 * MIB);
  await Promise.all([kill(stack.api), kill(stack.worker)]);
  cut.destroy();
  await stack.startApi();
  await stack.startWorker();
  const offset = await offsetOf(url);
  expect(offset).toBeGreaterThan(12 * MIB);
  const answer = await sendPatiently(url, bytes);
  expect(answer.status).toBe(204);
  await expectPublished(uuid, 'a.bin', bytes);
  await noLeftovers(jobId);
  expect(await offsetOf(url)).toBe(bytes.length);
  expect((await ask('DELETE', url)).status).toBe(410);
}, 120_000);

test('a process that stood still while another took over writes nothing when it wakes', async () => {
  const second = await stack.startSecondApi();
  const bytes = someBytes(8 * MIB);
  const { url, uuid } = await create(stack.apiUrl, bytes.length, { ...NATIVE, filename: 'still.bin' });
  const old = await beginPart(url, 0, bytes.length, bytes.subarray(0, 2 * MIB));
  await until('its first bytes came', async () => (await offsetOf(url)) === 2 * MIB);
  stack.api?.kill('SIGSTOP');
  const elsewhere = url.replace(stack.apiUrl, second);
  expect((await sendPatiently(elsewhere, bytes)).status).toBe(204);
  old.write(Buffer.alloc(4 * MIB, 'wrong'));
  stack.api?.kill('SIGCONT');
  const ended = new Promise((resolve) => old.once('close', resolve).once('data', resolve));
  await Promise.race([ended, sleep(5_000)]);
  old.destroy();
  await expectPublished(uuid, 'still.bin', bytes);
}, 120_000);

test('an upload that its client left expires: it fails as upload_expired, and nothing of it stays', async () => {
  const hasty = await stack.startSecondApi({ SLUICE_UPLOAD_EXPIRY_MS: '2500' });
  const { url, jobId, uuid } = await create(hasty, 1_000, { ...NATIVE, filename: 'left.bin' });
  expect((await send(url, 0, Buffer.alloc(500))).status).toBe(204);
  await until('it failed', async () => (await stack.job(jobId)).upload_status === 'failed');
  const row = await stack.settled(uuid, 'failed');
  expect(row.sluice.failure).toMatchObject({ code: 'upload_expired', blame: 'content' });
  await noLeftovers(jobId);
  expect((await ask('HEAD', url)).status).toBe(410);
  expect((await send(url, 500, Buffer.alloc(500))).status).toBe(410);
}, 60_000);

test('a terminated upload is cancelled, and nothing of it stays', async () => {
  const { url, jobId } = await create(stack.apiUrl, 1_000, { ...NATIVE, filename: 'gone.bin' });
  expect((await send(url, 0, Buffer.alloc(500))).status).toBe(204);
  expect((await ask('DELETE', url)).status).toBe(204);
  expect((await ask('HEAD', url)).status).toBe(410);
  await until('it is cancelled', async () => (await stack.job(jobId)).upload_status === 'cancelled');
  await noLeftovers(jobId);
  expect((await ask('DELETE', url)).status).toBe(410);
}, 60_000);

test('a directory by the client of others: many uploads into one dataset at once, through the death of the API', async () => {
  const made = await postJson(`${stack.apiUrl}/api/v1/datasets`, { ...NATIVE, name: 'a directory' });
  const files = Array.from(
    { length: 8 },
    (_, at) => [`d${at % 3}/f${at}.bin`, someBytes(3 * MIB + at)] as const,
  );
  let begun = 0;
  const sent = files.map(
    ([path, bytes]) =>
      new Promise<void>((resolve, reject) => {
        const upload = new Upload(bytes, {
          endpoint: `${stack.apiUrl}/files`,
          chunkSize: 256 * 1024,
          retryDelays: [100, 500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000],
          metadata: {
            dataset: made.uuid,
            seal: 'false',
            filename: path.split('/')[1] ?? '',
            relativePath: path,
          },
          onChunkComplete: () => {
            begun += 1;
          },
          onSuccess: () => resolve(),
          onError: reject,
        });
        upload.start();
      }),
  );
  await until('some parts came', async () => begun > 8);
  await kill(stack.api);
  await stack.startApi();
  await Promise.all(sent);
  expect((await postJson(`${stack.apiUrl}/api/v1/datasets/${made.uuid}/seal`, {})).status).toBe(200);
  await stack.settled(made.uuid);
  for (const [path, bytes] of files) {
    expect(sha256(readFileSync(join(stack.out, made.uuid, path)))).toBe(sha256(bytes));
  }
}, 120_000);

test('what has no place on the disk is refused before its first byte; a disk that fills up loses nothing', async () => {
  const disk = '/tmp/sluice-tus-disk';
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  const url = await stack.startSecondApi({ VISUS_DATASETS: disk });
  try {
    const big = someBytes(30 * MIB);
    const metadata = { ...NATIVE, filename: 'big.bin' };
    await expect(create(url, big.length, metadata)).rejects.toThrow(/^507 .*disk_full/);
    const put = await fetch(`${url}/api/v1/files/big.bin?${new URLSearchParams(NATIVE)}`, {
      method: 'PUT',
      body: new Uint8Array(big),
    });
    expect([put.status, ((await put.json()) as { code: string }).code]).toEqual([507, 'disk_full']);
    expect(tree(disk).filter((name) => name.endsWith('.bin'))).toEqual([]);

    const begun = await create(url, 20 * MIB, metadata);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(10 * MIB));
    const cut = await send(begun.url, 0, big.subarray(0, 20 * MIB));
    expect([cut.status, JSON.parse(cut.body).code]).toEqual([507, 'disk_full']);
    const offset = await offsetOf(begun.url);
    expect(offset).toBeGreaterThan(8 * MIB);
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    expect((await send(begun.url, offset, big.subarray(offset, 20 * MIB))).status).toBe(204);
    const staged = join(disk, 'upload/.staging', begun.jobId, 'files/big.bin');
    expect(sha256(readFileSync(staged))).toBe(sha256(big.subarray(0, 20 * MIB)));
  } finally {
    execFileSync('umount', ['--lazy', disk]);
    await rm(disk, { recursive: true, force: true });
  }
}, 60_000);
