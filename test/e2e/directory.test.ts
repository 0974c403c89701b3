// A directory sent as older clients send it: one request a file, many at once, into a dataset that the first one makes.
import { readFileSync } from 'node:fs';
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
