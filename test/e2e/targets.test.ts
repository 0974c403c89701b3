// Publish targets on the whole stack: a worker dies between two of them, one is added later, one is forgotten, one refuses.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCli } from '../support/cli.js';
import { proveProduct, sha256Of } from '../support/data.js';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js';
import { patternDigest, writePattern } from '../support/pattern.js';
import { PASSWORD, startRsyncDaemon, type TestServer, USER } from '../support/rsync-servers.js';
import { S3Proxy } from '../support/s3-proxy.js';
import { BUCKET, KEYS, S3Server } from '../support/s3-server.js';
import { postJson } from '../support/send.js';
import { kill, Stack, Stop, until } from '../support/stack.js';

const MIB = 1024 * 1024;
// `npm run soak`: larger, at more moments.
const SOAK = process.env['SLUICE_TEST_SOAK'] !== undefined;
const SIZE = (SOAK ? 1024 : 48) * MIB;
const MOMENTS = SOAK ? Array.from({ length: 10 }, (_, i) => (i + 0.5) / 10) : [0.5];
const PACE = (SOAK ? 50 : 8) * MIB;
const content = { counted: SIZE };
const digest = patternDigest(content);

const home = mkdtempSync(join(tmpdir(), 'sluice-targets-'));
const far = join(home, 'far');
let stack: Stack;
let daemon: TestServer;
let server: S3Server;
let toDaemon: FaultProxy;
let toStore: S3Proxy;

beforeAll(async () => {
  for (const name of ['far/products', 'far/later', 'far/nas', 'local/set'])
    await mkdir(join(home, name), { recursive: true });
  writePattern(join(home, 'local/set/large.bin'), content);
  daemon = await startRsyncDaemon(join(home, 'daemon'), far);
  server = await S3Server.start();
  toDaemon = await startFaultProxy(daemon.port, { paceTo: PACE });
  toStore = await S3Proxy.start(server.origin);
  writeFileSync(join(home, 'targets.json'), JSON.stringify(targets()));
  writeFileSync(join(home, 'password'), PASSWORD);
  stack = await Stack.start({
    SLUICE_TARGETS: join(home, 'targets.json'),
    SLUICE_LOCAL_ROOTS: join(home, 'local'),
    TEST_KEY: KEYS.accessKeyId,
    TEST_SECRET: KEYS.secretAccessKey,
  });
}, 120_000);
afterAll(async () => {
  await stack.close();
  await Promise.all([toDaemon.close(), toStore.close()]);
  await Promise.all([daemon.stop(), server.close()]);
  await rm(home, { recursive: true, force: true });
}, 60_000);

const targets = () => ({
  archive: {
    type: 's3',
    bucket: BUCKET,
    endpoint: toStore.origin,
    access_key_id: { env: 'TEST_KEY' },
    secret_access_key: { env: 'TEST_SECRET' },
  },
  mirror: rsync('products', toDaemon.port),
  later: rsync('later', daemon.port),
  nas: { type: 'directory', path: join(home, 'far/nas') },
  // Its directory is not there at first.
  shelf: rsync('shelf', daemon.port),
});
const rsync = (path: string, port: number) => ({
  type: 'rsync',
  to: `rsync://${USER}@127.0.0.1:${port}/drop/${path}`,
  password: { file: 'password' },
});

const targetRows = async (uuid: string) => (await stack.dataset(uuid)).sluice.targets ?? [];
async function isDone(uuid: string, name: string): Promise<boolean> {
  const row = (await targetRows(uuid)).find(({ target }) => target === name);
  if (row?.status === 'failed') throw new Stop(`${name}: ${row.code} (${row.say})`);
  return row?.status === 'done';
}
const uploadsToStore = (): number => toStore.heard.filter(({ method }) => method === 'PUT').length;
let newest = '';

test.each(MOMENTS)(
  'the worker is killed with one target done and the other at %p: only the rest is sent',
  async (moment) => {
    const start = toDaemon.taken();
    const sent = await postJson(`${stack.apiUrl}/api/v1/uploads`, {
      name: `to targets ${moment}`,
      user_email: 'ada@example.org',
      sensor: 'OTHER',
      publish_to: ['archive', 'mirror'],
      source: { type: 'local', path: join(home, 'local/set') },
    });
    expect(sent.status).toBe(201);
    newest = sent.uuid;
    await until('one target has it', () => isDone(newest, 'archive'), 120_000);
    await until('the moment has come', async () => toDaemon.taken() - start > moment * SIZE, 120_000, 20);
    const uploaded = uploadsToStore();
    await kill(stack.worker);
    await stack.startWorker();
    const row = await stack.settled(newest, 'done', 180_000);
    expect(row.sluice).toMatchObject({ targetsState: 'complete' });
    expect(uploadsToStore()).toBe(uploaded);
    expect(toDaemon.taken() - start).toBeLessThan(SIZE + 8 * MIB);
    await proveProduct(join(far, 'products', newest), { 'large.bin': digest });
    expect(await sha256Of(server.pathOf(`${newest}/large.bin`))).toBe(digest);
  },
  300_000,
);

test('a target that is added later gets the product; one that is removed keeps its copy', async () => {
  const change = { add: ['later', 'nas'], remove: ['mirror'] };
  const answer = await postJson(`${stack.apiUrl}/api/v1/datasets/${newest}/targets`, change);
  expect(answer.body['notice']).toMatch(/the copy at mirror stays/);
  for (const name of change.add) await until('the added target has it', () => isDone(newest, name), 60_000);
  await stack.settled(newest);
  expect((await targetRows(newest)).map(({ target }) => target)).toEqual(['archive', 'later', 'nas']);
  expect((await stack.dataset(newest)).publish_to).toEqual(['archive', 'later', 'nas']);
  for (const place of ['products', 'later', 'nas']) {
    await proveProduct(join(far, place, newest), { 'large.bin': digest });
  }
}, 120_000);

test('one of two targets refuses: partial, as the command says; mended and retried, only that one gets it', async () => {
  const set = join(home, 'small set');
  await mkdir(set);
  const files = { 'a.dat': { counted: MIB, mark: 1 }, 'b.dat': { counted: MIB, mark: 2 } };
  for (const [name, file] of Object.entries(files)) writePattern(join(set, name), file);
  const given = { 'a.dat': patternDigest(files['a.dat']), 'b.dat': patternDigest(files['b.dat']) };
  const env = { SLUICE_HOME: stack.home, SLUICE_URL: stack.apiUrl };
  const cli = async (...args: string[]) => await startCli([...args, '--json'], env).ended;
  const sent = await cli('ingest', set, '--sensor', 'OTHER', '--publish-to', 'archive,shelf');
  const refused = { target: 'shelf', status: 'failed', code: 'target_refused' };
  expect([sent.code, sent.result]).toMatchObject([
    3,
    { status: 'done', published: [{ target: 'archive', status: 'done' }, refused] },
  ]);
  expect(sent.err).toMatch(/not published to shelf: .*No such file or directory/);
  const uuid = String(sent.result.dataset);
  expect((await stack.dataset(uuid)).sluice).toMatchObject({ targetsState: 'partial' });
  const shown = await (await fetch(`${stack.apiUrl}/api/v1/datasets/${uuid}`)).json();
  expect(shown).toMatchObject({
    status: 'done',
    targets: 'partial',
    open: expect.arrayContaining(['retry']),
  });

  await mkdir(join(far, 'shelf'));
  const asked = toStore.heard.length;
  expect((await cli('datasets', 'retry', uuid)).code).toBe(0);
  const complete = async () => (await stack.dataset(uuid)).sluice.targetsState === 'complete';
  await until('the target has it', complete, 60_000);
  await stack.settled(uuid);
  expect(toStore.heard.slice(asked)).toEqual([]);
  for (const place of [join(far, 'shelf', uuid), server.pathOf(uuid)]) await proveProduct(place, given);
  expect((await cli('verify', uuid)).code).toBe(0);
}, 120_000);
