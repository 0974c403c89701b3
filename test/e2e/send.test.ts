// `sluice ingest` over bad lines and through kills of the server and of itself: what arrived is never sent again.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { someBytes } from '../contract/sources/bench.js';
import { startCli } from '../support/cli.js';
import { tree } from '../support/data.js';
import { type Line, startLine } from '../support/line.js';
import { kill, Stack, until } from '../support/stack.js';

const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const MIB = 1024 * 1024;
const SIZE = (SOAK ? 1024 : 40) * MIB;
const TIME = SOAK ? 1_200_000 : 120_000;
jest.setTimeout(TIME);
/** What a break may cost, and the heads of some requests. */
const TWICE = 8 * MIB + 64 * 1024;

let stack: Stack;
let line: Line;
let files: string;
let path: string;
const bytes = someBytes(SIZE);
const digest = sha256(bytes);
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_QUIET_MS: '60000' });
  files = join(stack.home, 'files');
  path = write('large.bin', bytes);
}, 120_000);
afterAll(() => stack.close(), 60_000);
beforeEach(async () => {
  line = await startLine(stack.apiUrl);
});
afterEach(() => line.close());

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function write(name: string, content: Uint8Array): string {
  const at = join(files, name);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, content);
  return at;
}

const ingest = (name: string, what = path, ...more: string[]) =>
  startCli(['ingest', what, '--sensor', 'OTHER', '--name', name, '--json', ...more], {
    SLUICE_HOME: stack.home,
    SLUICE_URL: line.url,
  });

const kept = (): string[] => readdirSync(join(stack.home, 'sending'));

async function expectOne(name: string, product: string | null): Promise<void> {
  expect(sha256(readFileSync(join(product ?? '', 'large.bin')))).toBe(digest);
  expect(await stack.store.datasets.countDocuments({ name })).toBe(1);
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
  expect(kept()).toEqual([]);
}

test('the API is killed while a large file comes: the command goes on where it was', async () => {
  line.behaviour.pace = 40 * MIB;
  const running = ingest('api killed');
  await until('half is there', async () => line.passed() > SIZE / 2, TIME / 2, 5);
  await kill(stack.api);
  await stack.startApi();
  const { code, result, out } = await running.ended;
  expect([code, result.status]).toEqual([0, 'done']);
  expect(out).toMatch(/going on|waiting for it/);
  expect(line.passed()).toBeLessThan(SIZE + TWICE);
  await expectOne('api killed', result.product);
});

test('a line that is cut again and again: every byte arrives, and nearly none twice', async () => {
  line.behaviour.cutAfter = 6 * MIB;
  const { code, result } = await ingest('cut').ended;
  expect([code, result.status]).toEqual([0, 'done']);
  expect(line.cuts()).toBeGreaterThan(4);
  // The first cut costs a part; from then on parts go without a checksum, and what the system held is lost at most.
  expect(line.passed()).toBeLessThan(SIZE + TWICE + line.cuts() * MIB);
  await expectOne('cut', result.product);
});

test('the command itself is killed: the same command goes on, and says where', async () => {
  line.behaviour.pace = 40 * MIB;
  const first = ingest('killed');
  await until('half is there', async () => line.passed() > SIZE / 2, TIME / 2, 5);
  await kill(first.child);
  const { code, out, result } = await ingest('killed').ended;
  expect([code, result.status]).toEqual([0, 'done']);
  const [, percent] = /goes on at (\d+) %/.exec(out) ?? [];
  expect(Number(percent)).toBeGreaterThanOrEqual(20);
  expect(line.passed()).toBeLessThan(SIZE + TWICE);
  await expectOne('killed', result.product);
});

test('a server that asks to wait is waited for', async () => {
  line.behaviour.refuse = [429, 503];
  const { code, result, out } = await ingest('throttled').ended;
  expect([code, result.status]).toEqual([0, 'done']);
  expect(out).toContain('the server is not ready');
  const [first = 0, second = 0, third = 0] = line.patches;
  expect(Math.min(second - first, third - second)).toBeGreaterThanOrEqual(1_000);
  await expectOne('throttled', result.product);
});

test('a directory: large files resumable, small ones in a form, all into one dataset, over cuts', async () => {
  const content = new Map<string, Uint8Array>([
    ['a/large.bin', someBytes(20 * MIB)],
    ['b/large.bin', someBytes(9 * MIB)],
  ]);
  for (let index = 0; index < 40; index += 1)
    content.set(`many/${index % 4}/${index}.txt`, Buffer.from(`small ${index}`));
  for (const [name, one] of content) write(`tree/${name}`, one);
  line.behaviour.cutAfter = 5 * MIB;
  const { code, result } = await ingest('a tree', join(files, 'tree')).ended;
  expect([code, result.failure, result.status]).toEqual([0, undefined, 'done']);
  for (const [name, one] of content)
    expect([name, sha256(readFileSync(join(result.product ?? '', name)))]).toEqual([name, sha256(one)]);
  expect(await stack.store.datasets.countDocuments({ name: 'a tree' })).toBe(1);
  expect(await stack.store.jobs.countDocuments({ dataset_uuid: result.dataset ?? '' })).toBe(3);
  expect(kept()).toEqual([]);
});

test('Ctrl-C throws away what came; with --detach it stays for the same command', async () => {
  line.behaviour.pace = 20 * MIB;
  const stopped = ingest('stopped');
  await until('some is there', async () => line.passed() > 12 * MIB, TIME / 2, 5);
  stopped.child.kill('SIGINT');
  expect(await stopped.ended).toMatchObject({ code: 130, result: { status: 'interrupted', product: null } });
  await until('nothing is left', async () => {
    const row = await stack.store.datasets.findOne({ name: 'stopped' });
    return row?.status === 'cancelled' && tree(join(stack.in, '.staging')).length === 0;
  });
  expect(kept()).toEqual([]);

  const before = line.passed();
  const left = ingest('left', path, '--detach');
  await until('some is there', async () => line.passed() > before + 12 * MIB, TIME / 2, 5);
  left.child.kill('SIGINT');
  expect(await left.ended).toMatchObject({ code: 130, err: expect.stringContaining('same command') });
  expect(kept()).toHaveLength(1);
  line.behaviour.pace = undefined;
  const { code, result } = await ingest('left').ended;
  expect([code, result.status]).toEqual([0, 'done']);
  await expectOne('left', result.product);
});
