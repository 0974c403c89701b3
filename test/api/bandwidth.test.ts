// Limits on bandwidth hold for what clients send, by every door, and change while it comes.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { COLLECTIONS } from '../../src/contracts/documents.js';
import { begin, chunkOf, sendChunk } from '../support/chunks.js';
import { create as createTus, NATIVE, send as sendTus } from '../support/tus.js';
import { type Harness, startHarness } from './support/harness.js';
import { type Part, postForm, put } from './support/http.js';

const MIB = 1024 * 1024;
const CONTENT = Buffer.alloc(6 * MIB, 7);
let at: Harness;
beforeAll(async () => {
  at = await startHarness('bandwidth');
});
afterAll(() => at.close());
beforeEach(async () => {
  for (const name of Object.values(COLLECTIONS)) await at.store.db.collection<object>(name).deleteMany({});
});

/** Sends all of it; answers with the last status. */
type Door = (owner: string, content: Buffer) => Promise<number>;

const DOORS: Readonly<Record<string, Door>> = {
  async form(owner, content) {
    const parts: Part[] = [
      ['name', 'Brain'],
      ['sensor', 'OTHER'],
      ['user_email', owner],
      ['file', content, 'a.bin'],
    ];
    return (await postForm(`${at.url}/api/v1/uploads`, parts)).status;
  },
  async put(owner, content) {
    const query = new URLSearchParams({ sensor: 'OTHER', user_email: owner });
    const body = new Uint8Array(content);
    return (await fetch(`${at.url}/api/v1/files/a.bin?${query}`, { method: 'PUT', body })).status;
  },
  async tus(owner, content) {
    const fields = { ...NATIVE, user_email: owner, filename: 'a.bin' };
    const { url } = await createTus(at.url, content.length, fields);
    return (await sendTus(url, 0, content)).status;
  },
  async chunks(owner, content) {
    const { body } = await begin(at.url, content, { user_email: owner });
    const indexes = Array.from({ length: content.length / MIB }, (_, index) => index);
    const answers = await Promise.all(
      indexes.map((index) => sendChunk(at.url, body.upload_id, index, chunkOf(content, index, MIB))),
    );
    return Math.max(...answers.map(({ status }) => status));
  },
};

async function seconds(work: Promise<number>): Promise<number> {
  const from = performance.now();
  expect(await work).toBeLessThan(300);
  return (performance.now() - from) / 1000;
}

const limit = (owner: string, bytes: number | null) =>
  put(`${at.url}/api/v1/limits/owners/${owner}`, { bytes_per_second: bytes });
const ownerOf = (door: string): string => `${door}@example.org`;

test('an owner sends no faster than its limit, by any door', async () => {
  const doors = Object.entries(DOORS);
  await Promise.all(doors.map(([door]) => limit(ownerOf(door), 2 * MIB)));
  for (const time of await Promise.all(doors.map(([door, send]) => seconds(send(ownerOf(door), CONTENT))))) {
    expect(time).toBeGreaterThan(2);
    expect(time).toBeLessThan(12);
  }
});

test('the requests of one owner share its limit, one after the other and at the same time', async () => {
  await limit('ada@example.org', 2 * MIB);
  const part = CONTENT.subarray(0, MIB);
  const send = DOORS['put'] as Door;
  const oneByOne = async (): Promise<number> => {
    for (let count = 0; count < 3; count += 1) expect(await send('ada@example.org', part)).toBe(201);
    return 201;
  };
  const times = await Promise.all([seconds(oneByOne()), seconds(oneByOne())]);
  expect(Math.max(...times)).toBeGreaterThan(2);
});

test('other owners are not slowed meanwhile, and a limit that is taken away holds no more', async () => {
  // It would take a minute and a half.
  const doors = Object.entries(DOORS);
  await Promise.all(doors.map(([door]) => limit(ownerOf(door), MIB / 16)));
  let ended = 0;
  const slow = doors.map(async ([door, send]) => {
    const status = await send(ownerOf(door), CONTENT);
    ended += 1;
    return status;
  });
  const free = doors.map(([, send]) => send('free@example.org', CONTENT));
  for (const status of await Promise.all(free)) expect(status).toBeLessThan(300);
  expect(ended).toBe(0);
  await Promise.all(doors.map(([door]) => limit(ownerOf(door), null)));
  const time = await seconds(Promise.all(slow).then((statuses) => Math.max(...statuses)));
  expect(time).toBeLessThan(20);
});
