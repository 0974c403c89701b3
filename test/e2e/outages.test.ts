// Outages and full disks delay work; they fail none of it and lose nothing.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readProduct, sha256Of, sha256sumCheck, tree, volume, writeStack } from '../support/data.js';
import { sendDirectory } from '../support/send.js';
import { Stack, until } from '../support/stack.js';

// `npm run soak` keeps the database away for the ten minutes that are promised.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const AWAY_MS = SOAK ? 600_000 : 15_000;
const disk = '/tmp/sluice-small-disk';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

/** Files that hold the data of a product, with their digests: equal data make equal ones. */
async function blocksOf(uuid: string): Promise<string[]> {
  const product = join(stack.out, uuid);
  const names = tree(product).filter((name) => name.endsWith('.bin'));
  return await Promise.all(names.map(async (name) => `${await sha256Of(join(product, name))} ${name}`));
}

test(
  `${AWAY_MS / 1000} s without MongoDB during 20 running ingestions fail none of them`,
  async () => {
    const data = volume(256, 256, 16, 31);
    const directory = writeStack(join(stack.home, 'stack'), data);
    const sent = await Promise.all(Array.from({ length: 20 }, () => sendDirectory(stack.apiUrl, directory)));
    expect(sent.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    await stack.mongo.daemon.stop(10_000);
    await sleep(AWAY_MS);
    await stack.startMongo();
    const [{ uuid: first } = { uuid: '' }] = sent;
    await stack.settled(first, 'done', 180_000);
    expect(readProduct(join(stack.out, first, 'visus.idx')).sha256).toBe(data.sha256);
    const blocks = await blocksOf(first);
    expect(blocks.length).toBeGreaterThan(0);
    for (const { uuid } of sent) {
      await stack.settled(uuid, 'done', 180_000);
      sha256sumCheck(join(stack.out, uuid));
      expect(await blocksOf(uuid)).toEqual(blocks);
      expect(await stack.history(`dataset:${uuid}`)).toEqual([
        'uploading',
        'conversion queued',
        'converting',
        'done',
      ]);
    }
    expect(tree(join(stack.in, '.staging'))).toEqual([]);
    expect(tree(join(stack.out, '.staging'))).toEqual([]);
  },
  AWAY_MS + 400_000,
);

test('disk full: receiving and converting say so, nothing half-published stays, and a retry goes through', async () => {
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  const small = await Stack.start({ VISUS_DATASETS: disk });
  try {
    const tooBig = join(small.home, 'big');
    mkdirSync(tooBig);
    writeFileSync(join(tooBig, 'a.bin'), Buffer.alloc(40 * 1024 * 1024, 1));
    const refused = await sendDirectory(small.apiUrl, tooBig, { sensor: 'OTHER' });
    expect(refused).toMatchObject({ body: { code: 'disk_full' } });
    await until('its leftovers are gone', async () => tree(join(small.in, '.staging')).length === 0);

    // The source fits; source and product together do not.
    const data = volume(512, 512, 32, 5);
    const sent = await sendDirectory(small.apiUrl, writeStack(join(small.home, 'stack'), data));
    expect(sent.status).toBe(201);
    const row = await small.settled(sent.uuid, 'conversion error', 90_000);
    expect(row.sluice.failure).toMatchObject({ code: 'disk_full', blame: 'system' });
    expect(tree(join(small.out, sent.uuid))).toEqual([]);
    expect(tree(join(small.out, '.staging', sent.uuid))).toEqual([]);
    execFileSync('mount', ['-o', 'remount,size=128m', disk]);
    const answer = await fetch(`${small.apiUrl}/api/v1/datasets/${sent.uuid}/retry`, { method: 'POST' });
    expect(answer.ok).toBe(true);
    await until('it runs again', async () => (await small.dataset(sent.uuid)).status !== 'conversion error');
    await small.settled(sent.uuid, 'done', 60_000);
    sha256sumCheck(join(small.out, sent.uuid));
    expect(readProduct(join(small.out, sent.uuid, 'visus.idx')).sha256).toBe(data.sha256);
  } finally {
    await small.close();
    execFileSync('umount', ['--lazy', disk]);
    await rm(disk, { recursive: true, force: true });
  }
}, 240_000);
