// Credentials of every source on a whole Sluice: they are found nowhere but sealed, and a retry may bring new ones.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { begin, sendChunk } from '../support/chunks.js';
import { RCLONE, startWebDav, type WebDav, webDavRemote } from '../support/rclone-server.js';
import { PASSWORD, startRsyncDaemon, type TestServer, USER } from '../support/rsync-servers.js';
import { Stack, until } from '../support/stack.js';
import { ask, create, NATIVE, PART } from '../support/tus.js';

const MARKS = {
  password: 'mark-of-a-password',
  newPassword: 'mark-of-a-newer-one',
  query: 'mark-of-a-query',
  s3: 'mark-of-an-s3-secret',
  session: 'mark-of-a-session',
  drive: 'mark-of-a-drive-token',
  rsync: PASSWORD,
  rclone: 'mark-of-an-rclone-word',
  wrongRclone: 'mark-of-a-wrong-rclone-word',
  rcloneConfig: 'mark-of-an-rclone-configuration',
  door: 'mark-of-a-bearer',
  cookie: 'mark-of-a-cookie',
} as const;
/** What stands for a password in the configuration of rclone, which is as good as the word. */
const obscured: string[] = [];
const marks = () => [
  ...Object.entries(MARKS),
  ...obscured.map((word): [string, string] => ['an obscured word', word]),
];

let stack: Stack;
let web: Server;
let daemon: TestServer;
let dav: WebDav;
// The operator's: it holds passwords, and lies where nothing of ours is looked through.
const remotes = join('/tmp', `sluice-remotes-${process.pid}.conf`);
beforeAll(async () => {
  writeFileSync(remotes, '');
  stack = await Stack.start({
    SLUICE_URL_ALLOW: '127.0.0.0/8',
    SLUICE_LOG_LEVEL: 'debug',
    SLUICE_RCLONE_CONFIG: remotes,
    SLUICE_RCLONE_CONFIG_PASS: MARKS.rcloneConfig,
    SLUICE_RCLONE_BIN: RCLONE,
  });
  const right = `Basic ${Buffer.from(`${USER}:${MARKS.newPassword}`).toString('base64')}`;
  web = createServer((request, response) => {
    const isRight = request.headers.authorization === right && request.url?.includes(MARKS.query);
    response.writeHead(isRight ? 200 : 401).end(isRight ? 'content' : '');
  });
  await new Promise<void>((done) => web.listen(0, '127.0.0.1', done));
  const data = join(stack.home, 'rsync-data');
  mkdirSync(data);
  writeFileSync(join(data, 'a.bin'), 'content of a file');
  daemon = await startRsyncDaemon(join('/tmp', `sluice-rsyncd-${process.pid}`), data);
  dav = await startWebDav(data, MARKS.rclone);
  const sections = [
    webDavRemote('dav', dav.port, MARKS.rclone),
    webDavRemote('shut', dav.port, MARKS.wrongRclone),
  ];
  writeFileSync(remotes, sections.join('\n'));
  for (const [, word = ''] of sections.join().matchAll(/pass = (\S+)/g)) obscured.push(word);
}, 120_000);
afterAll(async () => {
  web.close();
  await Promise.all([daemon.stop(), dav.stop()]);
  rmSync(remotes);
  await stack.close();
}, 60_000);

const port = (): number => (web.address() as AddressInfo).port;
const urlSource = (password: string, path = 'a.bin') => ({
  type: 'url',
  url: `http://${USER}:${password}@127.0.0.1:${port()}/${path}?token=${MARKS.query}`,
});

interface Sent {
  readonly uuid: string;
  readonly jobId: string;
}

async function post(path: string, sent: object) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${stack.apiUrl}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(sent),
  });
  const body = (await answer.json()) as Readonly<Record<'code' | 'dataset_uuid' | 'job_id', string>>;
  return { status: answer.status, body };
}

async function send(source: object): Promise<Sent> {
  const wish = { name: 'Secrets', sensor: 'OTHER', user_email: 'ada@example.org', source };
  const { status, body } = await post('/api/v1/uploads', wish);
  expect([status, body.code]).toEqual([201, undefined]);
  return { uuid: body.dataset_uuid, jobId: body.job_id };
}

test('no credential of any source shows in histories, rows, logs, files, answers or arguments; a retry brings new ones', async () => {
  const watch = watchArguments();
  const url = await send(urlSource(MARKS.password));
  const keys = { access_key_id: 'AKIDSHOWN', secret_access_key: MARKS.s3, session_token: MARKS.session };
  const s3 = await send({
    type: 's3',
    bucket: 'scans',
    key: 'a.bin',
    endpoint: `http://127.0.0.1:${port()}`,
    ...keys,
  });
  const from = `rsync://${USER}@127.0.0.1:${daemon.port}/closed/a.bin`;
  const rsync = await send({ type: 'rsync', from, password: MARKS.rsync });
  const drive = await send({ type: 'google_drive', id: 'abcd1234', oauth: { access_token: MARKS.drive } });
  const cloud = await send({ type: 'rclone', from: 'dav:a.bin' });
  const shut = await send({ type: 'rclone', from: 'shut:a.bin' });
  const doors = await throughDoors();

  await stack.settled(rsync.uuid, 'done');
  for (const uuid of [cloud.uuid, ...doors]) await stack.settled(uuid, 'done');
  await stack.settled(shut.uuid, 'failed');
  await stack.settled(url.uuid, 'failed');
  await stack.settled(s3.uuid, 'failed');
  // Google cannot be reached from everywhere; that it was asked is enough.
  await until(
    'drive was tried',
    async () => (await attempts(drive.jobId)) > 0 || (await isFailed(drive.jobId)),
  );
  await findNothing();

  const other = await post(`/api/v1/jobs/${url.jobId}/retry`, {
    source: urlSource(MARKS.newPassword, 'b.bin'),
  });
  expect([other.status, other.body.code]).toEqual([422, 'invalid_field']);
  expect(JSON.stringify(other.body)).not.toContain(MARKS.newPassword);
  const retried = await post(`/api/v1/jobs/${url.jobId}/retry`, { source: urlSource(MARKS.newPassword) });
  expect(retried.status).toBe(200);
  await until('it runs again', async () => (await stack.dataset(url.uuid)).status !== 'failed');
  await stack.settled(url.uuid, 'done');
  await findNothing();
  expect(watch.end()).toEqual([]);
  // What was brought in needs its secret no more; what failed keeps it for a retry.
  const kept = readdirSync(join(stack.in, '.secrets'));
  expect(kept).not.toContain(url.jobId);
  expect(kept).not.toContain(rsync.jobId);
}, 180_000);

/** The same file by every door, from clients that say who they are: this version does not ask, and must not keep it. */
async function throughDoors(): Promise<string[]> {
  const who = { authorization: `Bearer ${MARKS.door}`, cookie: `session=${MARKS.cookie}` };
  const bytes = Buffer.from('a file');
  const json = async (answer: Response) => (await answer.json()) as { dataset_uuid: string };
  const form = new FormData();
  for (const [name, value] of Object.entries(NATIVE)) form.append(name, value);
  form.append('file', new Blob([new Uint8Array(bytes)]), 'a.bin');
  const post = { method: 'POST', headers: who };
  const byForm = await json(await fetch(`${stack.apiUrl}/api/v1/uploads`, { ...post, body: form }));
  const path = `/api/v1/files/a.bin?${new URLSearchParams(NATIVE)}`;
  const put = { method: 'PUT', headers: who, body: new Uint8Array(bytes) };
  const byPut = await json(await fetch(`${stack.apiUrl}${path}`, put));
  // One that is refused, too.
  expect((await fetch(`${stack.apiUrl}/api/v1/files/a.bin`, put)).status).toBe(422);
  const tus = await create(stack.apiUrl, bytes.length, { ...NATIVE, filename: 'a.bin' }, who);
  expect((await ask('PATCH', tus.url, { ...PART, ...who, 'upload-offset': '0' }, bytes)).status).toBe(204);
  const large = await begin(stack.apiUrl, bytes, {}, who);
  const { upload_id: id } = large.body;
  expect((await sendChunk(stack.apiUrl, id, 0, bytes, undefined, who)).status).toBe(200);
  const complete = await fetch(`${stack.apiUrl}/api/upload/large/complete/${id}`, post);
  expect(complete.status).toBe(200);
  return [byForm.dataset_uuid, byPut.dataset_uuid, tus.uuid, large.body.dataset_uuid];
}

const isFailed = async (jobId: string): Promise<boolean> =>
  (await stack.job(jobId)).upload_status === 'failed';

async function attempts(jobId: string): Promise<number> {
  const { raw } = await stack.client.workflow.getHandle(`upload:${jobId}`).describe();
  return Math.max(0, ...(raw.pendingActivities ?? []).map(({ attempt }) => attempt ?? 0));
}

/** Looks everywhere for every mark. */
async function findNothing(): Promise<void> {
  const places = new Map<string, string>();
  for await (const { workflowId, runId } of stack.client.workflow.list()) {
    const handle = stack.client.workflow.getHandle(workflowId, runId);
    places.set(`history of ${workflowId}`, textOf(await handle.fetchHistory()));
    places.set(`state of ${workflowId}`, textOf((await handle.describe()).raw));
  }
  expect(places.size).toBeGreaterThan(8);
  for (const { name } of await stack.store.db.listCollections().toArray()) {
    places.set(`rows of ${name}`, JSON.stringify(await stack.store.db.collection(name).find().toArray()));
  }
  for (const path of ['jobs', 'datasets', 'uploads']) {
    places.set(`GET ${path}`, await (await fetch(`${stack.apiUrl}/api/v1/${path}`)).text());
  }
  const files = filesBelow(stack.home);
  expect(
    files.some((file) => file.endsWith('api.log')) && files.some((file) => file.endsWith('worker.log')),
  ).toBe(true);
  for (const file of files) places.set(file, readFileSync(file, 'latin1'));
  const found = [...places].flatMap(([place, text]) =>
    marks().flatMap(([name, mark]) => (holds(text, mark) ? [`${name} in ${place}`] : [])),
  );
  expect(found).toEqual([]);
}

/** As it is, as base64 and in an address. */
const holds = (text: string, mark: string): boolean =>
  [mark, Buffer.from(mark).toString('base64').slice(0, -4), encodeURIComponent(mark)].some((form) =>
    text.includes(form),
  );

/** Everything readable in an object of the protocol, its bytes too. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => {
    if (typeof inner === 'bigint') return String(inner);
    const bytes = inner?.type === 'Buffer' ? inner.data : inner;
    return bytes instanceof Uint8Array || (bytes !== inner && Array.isArray(bytes))
      ? Buffer.from(bytes).toString('utf8')
      : inner;
  }) ?? '';

const filesBelow = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    // Rows are read by the driver: the database packs them.
    if (entry.isDirectory()) return entry.name === 'mongo' ? [] : filesBelow(path);
    return entry.isFile() && statSync(path).size < 64 * 1024 * 1024 ? [path] : [];
  });

/** Looks at the arguments of all processes, again and again. */
function watchArguments(): { end(): string[] } {
  const found = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let line = '';
      try {
        line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        continue;
      }
      for (const [, mark] of marks()) if (line.includes(mark)) found.add(line.replaceAll('\0', ' '));
    }
  };
  const timer = setInterval(look, 15);
  return {
    end() {
      clearInterval(timer);
      return [...found];
    },
  };
}
