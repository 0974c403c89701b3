// The command line as a person or a script calls it, against a whole Sluice.
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { recordOf, removeRun, writeRun } from '../../src/embedded/run-file.js';
import { commandOf } from '../../src/process/proc.js';
import { type Ended, type Started, startCli } from '../support/cli.js';
import { proveProduct, readProduct, volume, writeStack } from '../support/data.js';
import { startLine } from '../support/line.js';
import { patternDigest, writePattern } from '../support/pattern.js';
import { kill, Stack, until } from '../support/stack.js';

const BIG = 768 * 2 ** 20;

let stack: Stack;
let files: string;
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_LOCAL_ROOTS: '/', SLUICE_QUIET_MS: '300' });
  files = join(stack.home, 'files');
  mkdirSync(files);
}, 120_000);
afterAll(() => stack.close(), 60_000);

/** Starts the program with the server's address in SLUICE_URL. */
const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Started =>
  startCli(args, { SLUICE_HOME: stack.home, SLUICE_URL: stack.apiUrl, ...env });

const sluice = (...args: string[]): Promise<Ended> => start(args).ended;

function bigFile(name: string): string {
  const path = join(files, name);
  writeFileSync(path, 'big');
  truncateSync(path, BIG);
  return path;
}

/** Bytes of an upload have begun to come. */
const receiving = (): Promise<void> =>
  until('bytes come', async () => {
    const staging = join(stack.in, '.staging');
    return await Promise.resolve(existsSync(staging) && readdirSync(staging).length > 0);
  });

test('ingest --json: a TIFF stack is published, and the product is its source voxel by voxel', async () => {
  const data = volume(33, 21, 7);
  const { code, out, result } = await sluice(
    ...['ingest', writeStack(join(files, 'stack'), data), '--sensor', 'TIFF', '--name', 'x', '--json'],
  );
  expect(code).toBe(0);
  expect(result).toMatchObject({ status: 'done', product: join(stack.out, result.dataset ?? '') });
  expect(readProduct(join(result.product ?? '', 'visus.idx'))).toMatchObject({ sha256: data.sha256 });
  expect([result.manifest, result.preview].map((path) => path !== null && existsSync(path))).toEqual([
    true,
    true,
  ]);
  const events = out.trimEnd().split('\n').slice(0, -1);
  expect(events.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(
    expect.arrayContaining(['status', 'progress']),
  );
}, 90_000);

test('content that cannot be converted: exit 1, what and why on stderr, the log at hand; then the commands on it', async () => {
  const path = join(files, 'text.tif');
  writeFileSync(path, 'this is text');
  const { code, out, err } = await sluice('ingest', path, '--sensor', 'TIFF');
  expect([code, out]).toEqual([1, '']);
  const [, uuid = ''] = /sluice datasets show (\S+)/.exec(err) ?? [];
  const [, job = ''] = /sluice jobs logs (\S+)/.exec(err) ?? [];
  expect(err).toContain('not_tiff');
  const shown = await sluice('datasets', 'show', uuid.slice(0, 8));
  expect(shown).toMatchObject({
    code: 0,
    out: expect.stringMatching(/status +failed.*not_tiff.*datasets retry/s),
  });
  expect((await sluice('jobs', 'logs', job)).out).toContain('convert');
  expect((await sluice('datasets', 'ls', '--status', 'failed')).out).toContain(uuid.slice(0, 8));
  expect((await sluice('jobs', 'ls', '--dataset', uuid, '--json')).out).toContain(job);
  const watched = await sluice('datasets', 'watch', uuid, '--json');
  expect(watched).toMatchObject({ code: 1, result: { dataset: uuid, status: 'failed' } });
  const refused = await sluice('datasets', 'pause', uuid);
  expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/now open: .*retry/) });
  const before = (await stack.dataset(uuid)).sluice.runId;
  expect(await sluice('datasets', 'retry', uuid)).toMatchObject({
    code: 0,
    err: expect.stringContaining('done'),
  });
  // The same failure again, but of another run.
  expect((await sluice('datasets', 'watch', uuid)).code).toBe(1);
  expect((await stack.dataset(uuid)).sluice.runId).not.toBe(before);
}, 120_000);

test.each([
  [2, ['ingest', 'nowhere.tif', '--sensor', 'TIFF'], /does not exist/],
  [2, ['ingest', '.', '--sensor', 'X'], /"TIFF RGB"/],
  [2, ['ingest', '.'], /--sensor/],
  [2, ['datasets', 'show', '00000000-0000-4000-8000-000000000000'], /no dataset/],
  [2, ['jobs', 'cancel', 'upload_1_00000000'], /no job/],
  [2, ['nothing'], /unknown command/],
])('exit %i: sluice %j', async (code, args, words) => {
  expect(await sluice(...args)).toMatchObject({ code, out: '', err: expect.stringMatching(words) });
});

test('no server: exit 3, and how to start one', async () => {
  const none = { SLUICE_URL: '', SLUICE_HOME: join(stack.home, 'none'), PORT: '1' };
  for (const env of [none, { SLUICE_URL: 'http://127.0.0.1:1' }]) {
    const { code, err } = await start(['datasets', 'ls'], env).ended;
    expect([code, err]).toEqual([3, expect.stringContaining('npm start')]);
  }
});

test('the server of this home reads files below its roots by itself', async () => {
  const self = recordOf(process.pid, commandOf(process.pid) ?? '');
  const record = { version: '0', startedAt: '', supervisor: self, url: stack.apiUrl, children: {} };
  writeRun(stack.home, record);
  try {
    const path = join(files, 'notes.txt');
    writeFileSync(path, 'notes');
    const args = ['ingest', path, '--sensor', 'OTHER', '--json'];
    const { code, result } = await start(args, { SLUICE_URL: '' }).ended;
    expect(code).toBe(0);
    expect(await stack.job(result.job ?? '')).toMatchObject({ source_type: 'local', source: `path ${path}` });
    expect(readFileSync(join(result.product ?? '', 'notes.txt'), 'utf8')).toBe('notes');
  } finally {
    removeRun(stack.home);
  }
}, 60_000);

test('the API is killed in a multipart upload: the command sends again by itself, into the same dataset', async () => {
  const directory = join(files, 'killed');
  // Each small enough for a form.
  const given = Object.fromEntries(
    Array.from({ length: 7 }, (_, mark) => [`${mark}.bin`, { counted: 8_000_000, mark }]),
  );
  for (const [name, file] of Object.entries(given)) writePattern(join(directory, name), file);
  const line = await startLine(stack.apiUrl, { pace: 40_000_000 });
  const args = ['ingest', directory, '--sensor', 'OTHER', '--name', 'killed', '--json'];
  const running = start(args, { SLUICE_URL: line.url });
  await receiving();
  await kill(stack.api);
  await stack.startApi();
  const { code, out, result } = await running.ended;
  expect([code, result.status]).toEqual([0, 'done']);
  expect(out).toContain('the connection broke; sending again (1)');
  const digests = Object.entries(given).map(([name, file]) => [name, patternDigest(file)]);
  await proveProduct(result.product ?? '', Object.fromEntries(digests));
  const jobs = await stack.store.jobs
    .find({ dataset_uuid: result.dataset ?? '' })
    .sort({ created_at: 1 })
    .toArray();
  expect(jobs.map(({ upload_status }) => upload_status)).toEqual(['failed', 'completed']);
  expect(jobs[0]?.sluice.failure?.code).toBe('upload_interrupted');
  expect(await stack.store.datasets.countDocuments({ name: 'killed' })).toBe(1);
  expect(readdirSync(join(stack.in, '.staging'))).toEqual([]);
  await line.close();
}, 150_000);

test('Ctrl-C while bytes are sent: exit 130, and nothing of it is published', async () => {
  const running = start(['ingest', bigFile('left.bin'), '--sensor', 'OTHER', '--name', 'left', '--json']);
  await receiving();
  running.child.kill('SIGINT');
  expect(await running.ended).toMatchObject({ code: 130, result: { status: 'interrupted', product: null } });
  await until('the upload is cancelled', async () => {
    const row = await stack.store.datasets.findOne({ name: 'left' });
    return row?.status === 'cancelled' && readdirSync(join(stack.in, '.staging')).length === 0;
  });
}, 60_000);
