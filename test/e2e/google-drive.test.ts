// Google Drive through real processes: the worker is killed again and again, and every byte is right in the end.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sha256sumCheck, tree } from '../support/data.js';
import { type GoogleStandIn, startGoogle } from '../support/google-drive.js';
import { seeded } from '../support/seeded.js';
import { postJson } from '../support/send.js';
import { kill, Stack, until } from '../support/stack.js';

const MIB = 1024 * 1024;
// `npm run soak` takes the sizes that are promised.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const KILLS = SOAK ? 20 : 3;
const FILES = 4;
const SIZE = ((SOAK ? 1024 : 64) * MIB) / FILES;
const SMALL = 10_000;
const EMAIL = 'reader@survey.iam.gserviceaccount.com';
const TIME = SOAK ? 1_800_000 : 180_000;

let stack: Stack;
let google: GoogleStandIn;
let keys: string;
beforeAll(async () => {
  google = await startGoogle();
  keys = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
  writeFileSync(join(keys, 'survey.json'), google.tokens.account(EMAIL).file);
  stack = await Stack.start({
    SLUICE_URL_ALLOW: '127.0.0.1',
    SLUICE_GOOGLE_ACCOUNTS: keys,
    SLUICE_GOOGLE_API: google.origin,
    SLUICE_GOOGLE_TOKENS: `${google.origin}/token`,
  });
}, 120_000);
afterAll(async () => {
  await stack.close();
  await google.close();
  await rm(keys, { recursive: true });
}, 60_000);

const sent = (): number => google.heard.reduce((sum, heard) => sum + heard.sent, 0);
const ingest = async (id: string) =>
  await postJson(`${stack.apiUrl}/api/v1/uploads`, {
    name: 'Drive',
    user_email: 'ada@example.org',
    sensor: 'OTHER',
    source: { type: 'google_drive', id },
  });

/** Most memory that the worker held, MiB. */
function peak(): number {
  const status = readFileSync(`/proc/${stack.worker?.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

async function expectWhole(uuid: string, ms: number): Promise<void> {
  await stack.settled(uuid, 'done', ms);
  sha256sumCheck(join(stack.out, uuid));
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
  expect(existsSync(join(stack.in, '.secrets')) ? tree(join(stack.in, '.secrets')) : []).toEqual([]);
}

test(
  `the worker killed ${KILLS} times in mid-transfer`,
  async () => {
    google.pace = (SOAK ? 100 : 10) * MIB;
    const folder = google.content.folder('large', { sharedWith: [EMAIL] });
    for (let at = 0; at < FILES; at++) {
      google.content.file(`f${at}.bin`, { zeros: SIZE - at }, { parent: folder.id });
    }
    const start = sent();
    const job = await ingest(folder.id);
    expect(job.status).toBe(201);
    const random = seeded(20261125);
    const moments = Array.from({ length: KILLS }, () => random() * FILES * SIZE * 0.9).sort((a, b) => a - b);
    for (const moment of moments) {
      await until('its moment has come', async () => sent() - start > moment, TIME, 20);
      await kill(stack.worker);
      await stack.startWorker();
    }
    await expectWhole(job.uuid, TIME);
    // For each kill at most 8 MiB for each of the streams that were open.
    const twice = sent() - start - FILES * SIZE;
    process.stderr.write(
      `${KILLS} kills: ${(twice / MIB).toFixed(1)} MiB moved twice, peak ${peak().toFixed(0)} MiB\n`,
    );
    expect(twice).toBeLessThanOrEqual(KILLS * 8 * 8 * MIB);
    expect(peak()).toBeLessThan(400);
  },
  TIME,
);

// The contract has many files and kills among them; a worker that dies takes 15 s to be missed.
const longOnly = SOAK ? test : undefined;
longOnly?.(
  `${SMALL} small files, through a kill`,
  async () => {
    google.pace = undefined;
    const folder = google.content.folder('small', { sharedWith: [EMAIL] });
    for (let at = 0; at < SMALL; at++) {
      google.content.file(`f${at}.bin`, Buffer.alloc(16 * 1024, at % 251), { parent: folder.id });
    }
    const before = google.heard.length;
    const job = await ingest(folder.id);
    const fetched = () => google.heard.slice(before).filter((heard) => heard.sent > 0).length;
    await until('half is there', async () => fetched() > SMALL / 2, TIME, 10);
    await kill(stack.worker);
    await stack.startWorker();
    await expectWhole(job.uuid, TIME);
    // What was under way, and what the ledger had not told the disk.
    expect(fetched()).toBeLessThan(SMALL * 1.2 + 50);
    expect(peak()).toBeLessThan(400);
  },
  TIME,
);
