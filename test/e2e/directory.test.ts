// A directory sent as older clients send it: one request a file, many at once, into a dataset that the first one makes.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tree } from '../support/data.js';
import { type FaultServer, startFaultServer } from '../support/fault-server.js';
import { postJson } from '../support/send.js';
import { Stack, until } from '../support/stack.js';
import { create, send as sendPart } from '../support/tus.js';

let stack: Stack;
let web: FaultServer;
beforeAll(async () => {
  web = await startFaultServer({ content: SAME });
  stack = await Stack.start({ SLUICE_QUIET_MS: '1000', SLUICE_URL_ALLOW: '127.0.0.1' });
}, 120_000);
afterAll(async () => {
  await stack.close();
  await web.close();
}, 60_000);

interface Sent {
  readonly folder: string;
  readonly name: string;
  readonly content: string;
}

const FOLDERS = ['day 1', 'day 2', 'night', 'Night', 'α'];
const WORKERS = 8;

/** Twelve files in each of five folders: the same names in all of them, and names that differ in case only. */
const files: Sent[] = FOLDERS.flatMap((folder) =>
  Array.from({ length: 12 }, (_, n) => {
    const name = n === 11 ? 'SLICE_0.dat' : `slice_${n}.dat`;
    // The last but one is equal everywhere: equal bytes of two folders are two files all the same.
    return { folder, name, content: n === 10 ? 'equal' : `${folder}/${name} `.repeat(500 + n) };
  }),
);

async function send(uuid: string, { folder, name, content }: Sent): Promise<Response> {
  const form = new FormData();
  const fields = {
    user_email: 'ada@example.org',
    dataset_name: 'a directory',
    sensor: 'OTHER',
    convert: 'True',
    is_public: 'False',
    folder,
    dataset_identifier: uuid,
    add_to_existing: 'False',
  };
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append('file', new Blob([content]), name);
  return await fetch(`${stack.apiUrl}/api/upload/upload`, { method: 'POST', body: form });
}

test('60 files in 5 folders by 8 workers end in one dataset, each with its own bytes; a bad one stops nobody', async () => {
  const uuid = crypto.randomUUID();
  const waiting = [...files, { folder: 'night', name: 'hollow.dat', content: '' }];
  const jobs: string[] = [];
  const refused: string[] = [];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const answer = await send(uuid, file);
      const body = (await answer.json()) as { job_id: string; dataset_uuid: string; code?: string };
      if (answer.ok) jobs.push(body.job_id);
      else refused.push(`${file.name}: ${body.code}`);
      expect(body.dataset_uuid).toBe(uuid);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  expect(refused).toEqual(['hollow.dat: empty_file']);
  expect(new Set(jobs).size).toBe(60);

  await until(
    'all are completed',
    async () =>
      (await stack.store.jobs.countDocuments({ dataset_uuid: uuid, upload_status: 'completed' })) === 60,
    60_000,
  );
  const row = await stack.settled(uuid);
  expect(row).toMatchObject({ name: 'a directory', file_count: 60 });
  expect(await stack.store.datasets.countDocuments({})).toBe(1);

  const product = join(stack.out, uuid);
  const published = tree(product).filter((path) => path.endsWith('.dat'));
  expect(published).toHaveLength(60);
  const found = published.map((path) => readFileSync(join(product, path), 'utf8')).sort();
  expect(found).toEqual(files.map(({ content }) => content).sort());
  // A file lies at its name or in its folder, never under a made-up name.
  const places = new Set(files.flatMap(({ folder, name }) => [name, `${folder}/${name}`]));
  expect(published.map((path) => path.replace(/^data\//, '')).filter((path) => !places.has(path))).toEqual(
    [],
  );
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
}, 120_000);

interface View {
  readonly status: string;
  readonly duplicate_of: { dataset: string; path: string | null; files: number } | null;
}
const view = async (path: string): Promise<View> =>
  (await (await fetch(`${stack.apiUrl}/api/v1/${path}`)).json()) as View;

interface Job {
  readonly uuid: string;
  readonly job: string;
}
const SAME = Buffer.from('the same bytes');
type Fields = Readonly<Record<string, string>>;

async function byForm(fields: Fields): Promise<Job> {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append('file', new Blob([new Uint8Array(SAME)]), 'a.dat');
  const answer = await fetch(`${stack.apiUrl}/api/v1/uploads`, { method: 'POST', body: form });
  const { dataset_uuid: uuid, job_id: job } = (await answer.json()) as Record<string, string>;
  return { uuid: uuid ?? '', job: job ?? '' };
}

async function byTus(fields: Fields): Promise<Job> {
  const { url, jobId: job, uuid } = await create(stack.apiUrl, SAME.length, { ...fields, filename: 'a.dat' });
  expect((await sendPart(url, 0, SAME)).status).toBe(204);
  return { uuid, job };
}

const byPull = (fields: Fields): Promise<Job> =>
  postJson(`${stack.apiUrl}/api/v1/uploads`, {
    ...fields,
    source: { type: 'url', url: `${web.origin}/a.dat` },
  });

const WAYS = { byForm, byTus, byPull };
const fieldsOf = (user_email: string, more: Fields = {}): Fields => ({
  name: 'known',
  sensor: 'OTHER',
  user_email,
  ...more,
});
const inode = (uuid: string): number => statSync(join(stack.in, uuid, 'a.dat')).ino;

test('the same bytes again are marked, shared or refused, as their owner wishes, whichever way they come', async () => {
  const first = await byForm(fieldsOf('eve@example.org'));
  await stack.settled(first.uuid);
  expect((await view(`datasets/${first.uuid}`)).duplicate_of).toBeNull();
  const there = { dataset: first.uuid, name: 'known', path: 'a.dat', files: 1, of: 1 };

  const again = async (way: keyof typeof WAYS): Promise<void> => {
    const rules = [{}, { duplicates: 'link' }, { duplicates: 'ask' }];
    const sent = await Promise.all(rules.map((rule) => WAYS[way](fieldsOf('eve@example.org', rule))));
    const [kept, linked, asked] = sent as [Job, Job, Job];
    await Promise.all([stack.settled(kept.uuid), stack.settled(linked.uuid)]);
    for (const { job, uuid } of [kept, linked]) {
      expect([way, (await view(`jobs/${job}`)).duplicate_of]).toEqual([way, there]);
      expect([way, (await view(`datasets/${uuid}`)).duplicate_of]).toEqual([way, there]);
    }
    expect([way, inode(kept.uuid) === inode(first.uuid)]).toEqual([way, false]);
    expect([way, statSync(join(stack.in, linked.uuid, 'a.dat')).nlink > 1]).toEqual([way, true]);
    const { sluice } = await stack.settled(asked.uuid, 'failed');
    expect([way, sluice.failure]).toMatchObject([way, { code: 'duplicate_found', blame: 'content' }]);
    expect(sluice.failure?.say).toContain(first.uuid);
    for (const place of [asked.uuid, `.staging/${asked.job}`]) {
      expect([way, tree(join(stack.in, place))]).toEqual([way, []]);
    }
  };
  await Promise.all([again('byForm'), again('byTus'), again('byPull')]);

  const stranger = await byForm(fieldsOf('mallory@example.org', { duplicates: 'ask' }));
  await stack.settled(stranger.uuid);
  expect((await view(`datasets/${stranger.uuid}`)).duplicate_of).toBeNull();
}, 120_000);
