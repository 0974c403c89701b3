// The key ring belongs to the installation: a host with another one does not start, wherever it has it from.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { startApi } from '../../src/api/serve.js';
import type { Config } from '../../src/config/config.js';
import { COLLECTIONS } from '../../src/contracts/documents.js';
import { type Harness, startHarness } from './support/harness.js';

let at: Harness;
let other: string;
beforeAll(async () => {
  at = await startHarness('keys');
  other = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
});
afterAll(async () => {
  await at.close();
  await rm(other, { recursive: true, force: true });
});

const start = async (change: Partial<Config>): Promise<void> =>
  (await startApi({ ...at.config, ...change }, pino({ level: 'silent' }))).stop();
const ring = (home: string): string => join(home, 'keys.json');

test('a second host without the keys does not start, and makes none of its own', async () => {
  await expect(start({ home: other })).rejects.toMatchObject({ code: 'foreign_keys' });
  expect(existsSync(ring(other))).toBe(false);
});

test('with the same keys it starts; with a key more, that one is known too', async () => {
  await cp(ring(at.config.home), ring(other));
  await start({ home: other });
  const { current, keys } = JSON.parse(await readFile(ring(other), 'utf8'));
  const more = { ...keys, newer: Buffer.alloc(32, 7).toString('base64') };
  await writeFile(ring(other), JSON.stringify({ current: 'newer', keys: more }));
  await start({ home: other });
  const marks = await at.store.db.collection<{ _id: string }>(COLLECTIONS.keys).findOne({ _id: 'keys' });
  expect(Object.keys((marks as unknown as { marks: object }).marks).sort()).toEqual(
    [current, 'newer'].sort(),
  );
  expect(JSON.stringify(marks)).not.toContain(more.newer);
});

test('other keys are refused, also under a known id, unless they are said to be meant', async () => {
  const { current } = JSON.parse(await readFile(ring(at.config.home), 'utf8'));
  for (const id of ['foreign', current as string]) {
    const keys = { [id]: Buffer.alloc(32, 9).toString('base64') };
    await writeFile(ring(other), JSON.stringify({ current: id, keys }));
    await expect(start({ home: other })).rejects.toMatchObject({ code: 'foreign_keys' });
  }
  await start({ home: other, newKeys: true });
  await start({ home: other });
  await expect(start({})).rejects.toMatchObject({ code: 'foreign_keys' });
});
