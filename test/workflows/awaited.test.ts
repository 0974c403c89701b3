// Uploads whose bytes a client sends: they wait, go on when the bytes are whole, expire, and are cancelled.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { ControlActivities } from '../../src/contracts/activities.js';
import { addUploadSignal, bytesWholeSignal } from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import {
  delivered,
  inputOf,
  order,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('awaited');

type Discard = Parameters<ControlActivities['discardUpload']>[0];

const awaited = (jobId: string, expiresAfterMs = 60_000) =>
  order(jobId, { source: { kind: 'awaited', files: 1, bytes: 4, expiresAfterMs } });
const upload = (jobId: string) => temporal.client.workflow.getHandle(`upload:${jobId}`);

async function running(jobId: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const found = await upload(jobId)
      .describe()
      .catch(() => undefined);
    if (found?.status.name === 'RUNNING') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`upload:${jobId} does not run`);
}

test('it runs from its creation, and fetches what was received when its order comes again', async () => {
  const uuid = randomUUID();
  const fetched: unknown[] = [];
  const stage = stages({
    fetchSource: async ({ order: { source }, jobId }) => {
      fetched.push(source);
      return delivered(jobId);
    },
  });
  await temporal.run(stage, async () => {
    const handle = await start(uuid, [awaited(`${uuid}-a`)]);
    await running(`${uuid}-a`);
    expect(fetched).toEqual([]);
    const received = order(`${uuid}-a`);
    await handle.signal(addUploadSignal, received);
    // A client that lost the answer asks again.
    await handle.signal(addUploadSignal, received);
    expect(await handle.result()).toMatchObject({ status: 'done' });
    expect(fetched).toEqual([received.source]);
    await recordHistory(temporal.client, `upload:${uuid}-a`, 'upload-awaited');
    await recordHistory(temporal.client, `dataset:${uuid}`, 'dataset-awaited');
  });
}, 60_000);

test('bytes that were whole before the child began need no word to it', async () => {
  const uuid = randomUUID();
  await temporal.run(stages(), async () => {
    const handle = await start(
      uuid,
      [awaited(`${uuid}-a`), order(`${uuid}-a`)],
      inputOf(uuid, { fresh: false }),
    );
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
}, 60_000);

test('without a byte for too long it ends as upload_expired, its leftovers and its writer go', async () => {
  const uuid = randomUUID();
  const looks: number[] = [];
  const discards: Discard[] = [];
  const stage = stages({
    lookAtUpload: async () => {
      looks.push(Date.now());
      // Bytes came meanwhile: the first time there is still time left.
      return looks.length === 1 ? { state: 'waiting', leftMs: 300 } : { state: 'expired' };
    },
    discardUpload: async (input) => {
      discards.push(input);
    },
  });
  await temporal.run(stage, async () => {
    const handle = await start(uuid, [awaited(`${uuid}-a`, 500)]);
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'upload_expired' } });
    await expect(upload(`${uuid}-a`).result()).rejects.toMatchObject({ cause: { type: 'upload_expired' } });
    await recordHistory(temporal.client, `upload:${uuid}-a`, 'upload-expired');
  });
  expect(looks.length).toBe(2);
  expect(discards).toEqual([{ jobId: `${uuid}-a`, forgetSecret: false, awaited: true }]);
  expect(statuses(stage.batches, `dataset:${uuid}`).at(-1)).toBe('failed');
}, 60_000);

test('a look that finds the bytes whole makes up for a word that was lost', async () => {
  const uuid = randomUUID();
  const stage = stages({
    lookAtUpload: async () => ({ state: 'whole', source: { kind: 'received', files: 1, bytes: 4 } }),
  });
  await temporal.run(stage, async () => {
    const handle = await start(uuid, [awaited(`${uuid}-a`, 400)]);
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
}, 60_000);

test('it is cancelled while it waits, alone or with its dataset; what comes later is not taken', async () => {
  const uuid = randomUUID();
  const discards: Discard[] = [];
  const stage = stages({
    discardUpload: async (input) => {
      discards.push(input);
    },
  });
  await temporal.run(stage, async () => {
    const handle = await start(uuid, [awaited(`${uuid}-a`), awaited(`${uuid}-b`)]);
    await Promise.all([running(`${uuid}-a`), running(`${uuid}-b`)]);
    await handle.signal('cancel', { by: 'ada', jobId: `${uuid}-a` });
    await expect(upload(`${uuid}-a`).result()).rejects.toMatchObject({
      message: expect.stringMatching(/cancel/i),
    });
    await handle.signal(addUploadSignal, order(`${uuid}-a`));
    await upload(`${uuid}-b`).signal(bytesWholeSignal, { kind: 'received', files: 1, bytes: 4 });
    expect(await handle.result()).toMatchObject({ status: 'done' });
  });
  expect(discards).toEqual([{ jobId: `${uuid}-a`, forgetSecret: true, awaited: true, cancelledIn: uuid }]);
  expect(statuses(stage.batches, `upload:${uuid}-a`)).toEqual(['cancelled']);
}, 60_000);
