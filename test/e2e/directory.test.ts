// A directory sent as older clients send it: one request a file, many at once, into a dataset that the first one makes.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tree } from '../support/data.js';
import { Stack, until } from '../support/stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_QUIET_MS: '1000' });
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

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

async function sendOne(
  owner: string,
  fields: Record<string, string> = {},
): Promise<{ uuid: string; job: string }> {
  const form = new FormData();
  const all = { name: 'known', sensor: 'OTHER', user_email: owner, ...fields };
  for (const [field, value] of Object.entries(all)) form.append(field, value);
  form.append('file', new Blob(['the same bytes']), 'a.dat');
  const answer = await fetch(`${stack.apiUrl}/api/v1/uploads`, { method: 'POST', body: form });
  const { dataset_uuid: uuid, job_id: job } = (await answer.json()) as Record<string, string>;
  return { uuid: uuid ?? '', job: job ?? '' };
}

test('the same bytes again are marked, shared or refused, as their owner wishes; nobody hears of what others have', async () => {
  const first = await sendOne('eve@example.org');
  await stack.settled(first.uuid);
  expect((await view(`datasets/${first.uuid}`)).duplicate_of).toBeNull();

  const kept = await sendOne('eve@example.org');
  await stack.settled(kept.uuid);
  const there = { dataset: first.uuid, name: 'known', path: 'a.dat', files: 1, of: 1 };
  expect((await view(`jobs/${kept.job}`)).duplicate_of).toEqual(there);
  expect((await view(`datasets/${kept.uuid}`)).duplicate_of).toEqual(there);
  const inode = (uuid: string): number => statSync(join(stack.in, uuid, 'a.dat')).ino;
  expect(inode(kept.uuid)).not.toBe(inode(first.uuid));

  const linked = await sendOne('eve@example.org', { duplicates: 'link' });
  await stack.settled(linked.uuid);
  expect([inode(first.uuid), inode(kept.uuid)]).toContain(inode(linked.uuid));

  const asked = await sendOne('eve@example.org', { duplicates: 'ask' });
  const row = await stack.settled(asked.uuid, 'failed');
  expect(row.sluice.failure).toMatchObject({ code: 'duplicate_found', blame: 'content' });
  expect(row.sluice.failure?.say).toContain(first.uuid);
  expect(tree(join(stack.in, asked.uuid))).toEqual([]);

  const stranger = await sendOne('mallory@example.org', { duplicates: 'ask' });
  await stack.settled(stranger.uuid);
  expect((await view(`datasets/${stranger.uuid}`)).duplicate_of).toBeNull();
}, 120_000);
