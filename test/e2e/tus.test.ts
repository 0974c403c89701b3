// Uploads through tus on a whole Sluice whose processes are killed: what was confirmed stays, and the file is whole.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { someBytes } from '../contract/sources/bench.js';
import { tree } from '../support/data.js';
import { kill, Stack, until } from '../support/stack.js';
import { ask, beginPart, create, NATIVE, offsetOf, send } from '../support/tus.js';

const MIB = 1024 * 1024;
let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_UPLOAD_EXPIRY_MS: '60000' });
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function expectPublished(uuid: string, name: string, bytes: Buffer): Promise<void> {
  await stack.settled(uuid);
  expect(sha256(readFileSync(join(stack.out, uuid, name)))).toBe(sha256(bytes));
  await until('leftovers are gone', async () => tree(join(stack.in, '.staging')).length === 0);
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
  let answer = await send(url, offset, bytes.subarray(offset));
  for (; answer.status === 423; answer = await send(url, offset, bytes.subarray(offset)))
    await new Promise((r) => setTimeout(r, 500));
  expect(answer.status).toBe(204);
  await expectPublished(uuid, 'a.bin', bytes);
  expect(await offsetOf(url)).toBe(bytes.length);
  expect((await ask('DELETE', url)).status).toBe(410);
}, 120_000);
