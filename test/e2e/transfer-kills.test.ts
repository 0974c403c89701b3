// A process that fetches, killed at seeded moments: the sum is right, nothing is left over, little is moved twice.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readManifest } from '../../src/bytes/store.js';
import type { FetchOutput } from '../../src/contracts/activities.js';
import { claimPort } from '../../src/embedded/ports.js';
import { tree } from '../support/data.js';
import { type FaultServer, startFaultServer } from '../support/fault-server.js';
import { patternPart } from '../support/pattern.js';
import { seeded } from '../support/seeded.js';
import { kill, until } from '../support/stack.js';

const MIB = 1024 * 1024;
// `npm run soak` takes the numbers that are promised.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const MOMENTS = SOAK ? 20 : 3;
const SIZE = (SOAK ? 1024 : 64) * MIB;
const SEED = 20_261_125;
const MAIN = join(process.cwd(), 'dist/bench/main.js');

let home: string;
let server: FaultServer;
let child: ChildProcess | undefined;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-kills-'));
});
afterAll(async () => {
  await kill(child);
  await server.close();
  await rm(home, { recursive: true, force: true });
});

/** For each kill the share of what is left that is let through before it. */
function shares(): number[] {
  const random = seeded(SEED);
  return Array.from({ length: MOMENTS }, (_, i) => (0.1 + 0.8 * random()) / (MOMENTS - i));
}

/** The activity in a process of its own (bench/peer/fetcher.ts); each start is a later attempt of one upload. */
async function start(): Promise<number> {
  const port = await claimPort(0, 'PORT');
  const log = openSync(join(home, 'fetcher.log'), 'a');
  const args = [MAIN, '--peer', 'fetcher', String(port), join(home, 'sluice')];
  child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', log, log],
  });
  await until('it listens', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok, 60_000);
  return port;
}

const sent = (): number => server.heard.reduce((sum, one) => sum + one.sent, 0);

test(
  `${MOMENTS} kills in a transfer of ${SIZE / MIB} MiB`,
  async () => {
    const content = patternPart({ counted: SIZE }, 0, SIZE);
    server = await startFaultServer({ content, etag: '"v1"', pace: 40 * MIB });
    const source = { kind: 'url', url: `${server.origin}/large.bin`, sealed: false };
    const body = JSON.stringify({ source });
    const fetchIt = (port: number) => fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body });
    let allowed = SIZE;
    for (const share of shares()) {
      const port = await start();
      // What was sent in vain counts here as well, so the moment comes before the transfer ends.
      const moment = sent() + share * (SIZE - Math.min(sent(), SIZE - 4 * MIB));
      const answer = fetchIt(port).then(
        (response) => response.status,
        () => 'killed',
      );
      await until('the moment has come', async () => sent() >= moment, 60_000, 2);
      const open = server.heard.filter(({ ended }) => !ended).length;
      await kill(child);
      expect(await answer).toBe('killed');
      // At most 8 MiB for each stream that was open.
      allowed += open * 8 * MIB;
    }
    const response = await fetchIt(await start());
    const text = await response.text();
    expect([response.status, response.ok ? '' : text]).toEqual([200, '']);
    const { output } = JSON.parse(text) as { output: FetchOutput };
    if (!output.done) throw new Error('not done');
    const roots = { in: join(home, 'sluice/in'), out: join(home, 'sluice/out') };
    const { files } = await readManifest(roots, output.delivery.manifest);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(files).toEqual([{ path: 'large.bin', size: SIZE, sha256 }]);
    const placed = tree(roots.in).filter((name) => name.endsWith('/large.bin'));
    expect(placed.length).toBe(1);
    expect(readFileSync(join(roots.in, placed[0] ?? '')).equals(content)).toBe(true);
    expect(tree(join(roots.in, '.staging'))).toEqual([]);
    expect(sent()).toBeLessThanOrEqual(allowed);
    process.stdout.write(
      `kills: seed ${SEED}, ${MOMENTS} moments, ${SIZE / MIB} MiB; ${Math.ceil((sent() - SIZE) / MIB)} MiB moved twice\n`,
    );
  },
  SOAK ? 1_200_000 : 150_000,
);
