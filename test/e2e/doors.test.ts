// The API dies at seeded moments while the same file comes by all doors: tus goes on, a form and a PUT fail cleanly and
// are sent again, and every file is whole in the end. The worker dies likewise, and no door notices.
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { someBytes } from '../contract/sources/bench.js';
import { tree } from '../support/data.js';
import { seeded } from '../support/seeded.js';
import { kill, Stack, until } from '../support/stack.js';
import { ask, create, NATIVE, offsetOf, PART } from '../support/tus.js';

const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const MIB = 1024 * 1024;
const MOMENTS = SOAK ? 20 : 3;
const SIZE = (SOAK ? 1024 : 64) * MIB;

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

const bytes = someBytes(SIZE);
const digest = createHash('sha256').update(bytes).digest('hex');

/** Who sent so much of the file waits before going on, bytes. */
let gate = SIZE;

interface Sending {
  /** Bytes of the file that left this process. */
  sent(): number;
  /** Of those, what the system still holds for a server that has not read it. */
  unread(): number;
  /** The answer's status, or nothing when the connection broke. */
  readonly ended: Promise<{ status: number; body: string } | undefined>;
}

/** Sends `lead`, the file from an offset on, and `tail`; slowly enough to be interrupted. */
function send(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  { from = 0, lead = '', tail = '' } = {},
): Sending {
  let at = from;
  const length = lead.length + SIZE - from + tail.length;
  const going: ClientRequest = request(`${stack.apiUrl}${path}`, {
    method,
    agent: false,
    headers: { ...headers, 'content-length': `${length}` },
  });
  const ended = new Promise<{ status: number; body: string } | undefined>((resolve) => {
    going.on('error', () => resolve(undefined));
    going.on('response', (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on('error', () => resolve(undefined));
    });
  });
  void (async () => {
    going.write(lead);
    while (at < SIZE && !going.destroyed) {
      if (at >= gate) {
        await sleep(5);
        continue;
      }
      const piece = bytes.subarray(at, at + MIB / 2);
      await new Promise<void>((resolve) => going.write(piece, () => resolve()));
      at += piece.length;
      await sleep(4);
    }
    going.end(tail);
  })().catch(() => undefined);
  return { sent: () => at, unread: () => queued(going.socket?.localPort ?? 0), ended };
}

/** What lies in the buffers of both ends of the connection that has this port at its beginning. */
function queued(port: number): number {
  const portOf = (address = ''): number => Number.parseInt(address.split(':')[1] ?? '', 16);
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return rows.reduce((sum, row) => {
    const [, local, remote, , queues = ''] = row.trim().split(/\s+/);
    const [unsent = 0, unread = 0] = queues.split(':').map((hex) => Number.parseInt(hex, 16));
    return sum + (portOf(local) === port ? unsent : 0) + (portOf(remote) === port ? unread : 0);
  }, 0);
}

const QUERY = new URLSearchParams(NATIVE).toString();
const byPut = (): Sending => send('PUT', `/api/v1/files/data.bin?${QUERY}`, { 'x-content-sha256': digest });

function byForm(): Sending {
  const field = (name: string, value: string): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const fields = Object.entries(NATIVE).map(([name, value]) => field(name, value));
  const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="data.bin"\r\n\r\n';
  const frame = { lead: `${fields.join('')}${file}`, tail: '\r\n--b--\r\n' };
  return send('POST', '/api/v1/uploads', { 'content-type': 'multipart/form-data; boundary=b' }, frame);
}

/** Stops it where it stands, so that what was read can be told from what was not. */
async function stand(child: ChildProcess | undefined): Promise<void> {
  child?.kill('SIGSTOP');
  const state = (): string => /\) (\w)/.exec(readFileSync(`/proc/${child?.pid}/stat`, 'utf8'))?.[1] ?? '';
  await until('it stands', async () => state() === 'T', 5_000, 1);
}

async function expectPublished(uuid: string): Promise<void> {
  await stack.settled(uuid, 'done', 120_000);
  expect(
    createHash('sha256')
      .update(readFileSync(join(stack.out, uuid, 'data.bin')))
      .digest('hex'),
  ).toBe(digest);
}

test(
  `the API is killed at ${MOMENTS} moments while ${SIZE / MIB} MiB come by every door`,
  async () => {
    const { url, uuid } = await create(stack.apiUrl, SIZE, {
      ...NATIVE,
      filename: 'data.bin',
      sha256: digest,
    });
    const path = new URL(url).pathname;
    const lost: { twice: number; unread: number }[] = [];
    const random = seeded(20_261_125);
    for (let moment = 0; moment < MOMENTS; moment += 1) {
      const from = await offsetOf(url);
      const headers = { ...PART, 'upload-offset': `${from}` };
      // The lease of the process that was killed before must have run out.
      await until('the upload may go on', async () => (await ask('PATCH', url, headers)).status === 204);
      // Somewhere in the next part of the way, so that each moment meets the transfer.
      const goal = from + ((SIZE - from) / (MOMENTS - moment + 1)) * (0.2 + 0.8 * random());
      const tus = send('PATCH', path, headers, { from });
      const others = [byPut(), byForm()];
      await until('the transfer is there', async () => tus.sent() >= goal, 60_000, 2);
      await stand(stack.api);
      const [sent, unread] = [tus.sent(), tus.unread()];
      await kill(stack.api);
      expect(await Promise.all([tus.ended, ...others.map(({ ended }) => ended)])).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      await stack.startApi();
      // A busy server leaves much with the system, which forgets it: only what it had read is its own loss.
      const twice = sent - (await offsetOf(url));
      expect(twice - unread).toBeLessThanOrEqual(8 * MIB);
      lost.push({ twice, unread });
    }
    await until('the lease of the dead ran out', async () => {
      const offset = await offsetOf(url);
      const answer = await send('PATCH', path, { ...PART, 'upload-offset': `${offset}` }, { from: offset })
        .ended;
      return answer?.status === 204;
    });
    const again = await Promise.all([byPut().ended, byForm().ended]);
    expect(again.map((answer) => answer?.status)).toEqual([201, 201]);
    const made = again.map(
      (answer) => (JSON.parse(answer?.body ?? '{}') as { dataset_uuid: string }).dataset_uuid,
    );
    for (const one of [uuid, ...made]) await expectPublished(one);
    await until(
      'what broke off has failed',
      async () => {
        const failed = await stack.store.jobs.find({ upload_status: 'failed' }).toArray();
        return (
          failed.length === 2 * MOMENTS &&
          failed.every(({ sluice }) => sluice.failure?.code === 'upload_interrupted')
        );
      },
      60_000,
    );
    await until('nothing is left over', async () => tree(join(stack.in, '.staging')).length === 0);
    const most = (of: 'twice' | 'unread'): string =>
      (Math.max(...lost.map((one) => one[of])) / MIB).toFixed(1);
    const all = lost.reduce((sum, { twice }) => sum + twice, 0) / MIB;
    process.stdout.write(
      `doors: ${MOMENTS} kills; ${all.toFixed(1)} MiB moved twice by tus, at most ${most('twice')} at once, ${most('unread')} of it unread\n`,
    );
  },
  300_000 + MOMENTS * 60_000,
);

test(
  `the worker is killed at ${MOMENTS} moments while ${SIZE / MIB} MiB come by every door: no sender notices`,
  async () => {
    const failed = () => stack.store.jobs.countDocuments({ upload_status: 'failed' });
    const before = await failed();
    gate = 0;
    const { url, uuid } = await create(stack.apiUrl, SIZE, {
      ...NATIVE,
      filename: 'data.bin',
      sha256: digest,
    });
    const tus = send('PATCH', new URL(url).pathname, { ...PART, 'upload-offset': '0' });
    const all = [tus, byPut(), byForm()];
    const random = seeded(20_261_129);
    for (let moment = 0; moment < MOMENTS; moment += 1) {
      const goal = ((moment + 0.9 * random()) / (MOMENTS + 0.5)) * SIZE;
      // They go on behind it, and wait there for the next.
      gate = goal + 4 * MIB;
      await until('the transfers are there', async () => all.every((one) => one.sent() >= goal), 60_000, 2);
      expect(all.every((one) => one.sent() < SIZE)).toBe(true);
      await kill(stack.worker);
      await stack.startWorker();
    }
    gate = SIZE;
    const answers = await Promise.all(all.map(({ ended }) => ended));
    expect(answers.map((answer) => answer?.status)).toEqual([204, 201, 201]);
    // Once more, while what came is put where it belongs.
    await kill(stack.worker);
    await stack.startWorker();
    const made = answers
      .slice(1)
      .map((answer) => JSON.parse(answer?.body ?? '{}') as { dataset_uuid: string });
    for (const one of [uuid, ...made.map(({ dataset_uuid }) => dataset_uuid)]) await expectPublished(one);
    expect(await failed()).toBe(before);
    expect(tree(join(stack.in, '.staging'))).toEqual([]);
  },
  120_000 + MOMENTS * 30_000,
);
