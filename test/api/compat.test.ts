// Older clients' routes beside the plain upload: identifiers, directories sent file by file, server paths, limits.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deliveredOrders, type Harness, startHarness } from './support/harness.js';
import { type Answer, get, type Part, post, postForm } from './support/http.js';

let at: Harness;
let root: string;
beforeAll(async () => {
  at = await startHarness('compat');
  root = join(at.config.home, 'roots');
  await mkdir(join(root, 'scan'), { recursive: true });
  await writeFile(join(root, 'scan', 'raw.tif'), 'bytes');
});
afterAll(async () => await at.close());

const shared = (name = 'Brain', owner = 'ada@example.org'): Part[] => [
  ['user_email', owner],
  ['dataset_name', name],
  ['sensor', 'TIFF'],
  ['convert', 'true'],
  ['is_public', 'false'],
];
const upload = (more: readonly Part[], fields = shared()): Promise<Answer> =>
  postForm(`${at.url}/api/upload/upload`, [...fields, ...more, ['file', 'x', 'x.tif']]);
const into = (identifier: string, add: boolean): Part[] => [
  ['dataset_identifier', identifier],
  ['add_to_existing', add ? 'True' : 'False'],
];

describe('priority', () => {
  const priorityOf = async ({ status, body }: Answer) => {
    expect([status, body.code]).toEqual([200, undefined]);
    return (await at.store.jobs.findOne({ job_id: body.job_id }))?.priority;
  };

  test('every door of older clients takes it; normal where none is named; another word is refused', async () => {
    const urgent: Part[] = [['priority', '1']];
    expect(await priorityOf(await upload([]))).toBe(2);
    expect(await priorityOf(await upload(urgent))).toBe(1);
    const path: Part[] = [['file_path', join(root, 'scan', 'raw.tif')], ...urgent];
    expect(await priorityOf(await postForm(`${at.url}/api/upload/upload-path`, [...shared(), ...path]))).toBe(
      1,
    );
    const fields = { ...Object.fromEntries(shared()), priority: 3 };
    const url = { source_type: 'url', source_config: { url: 'https://example.org/a.tif' } };
    expect(await priorityOf(await post(`${at.url}/api/upload/initiate`, { ...fields, ...url }))).toBe(3);
    const large = { filename: 'a.tif', file_size: 5, file_hash: 'ab'.repeat(32) };
    expect(await priorityOf(await post(`${at.url}/api/upload/large/initiate`, { ...fields, ...large }))).toBe(
      3,
    );
    expect((await upload([['priority', 'soon']])).status).toBe(422);
  });
});

describe('which dataset a file goes into', () => {
  test('a file without an identifier makes its own dataset and seals it', async () => {
    const answer = await upload([]);
    expect([answer.status, answer.body.upload_type]).toEqual([200, 'standard']);
    expect(await deliveredOrders(at.client, answer.body.dataset_uuid)).toMatchObject([{ seal: true }]);
  });

  test('eight files with one new uuid, all at once, make one dataset and do not seal it', async () => {
    const uuid = crypto.randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => upload([...into(uuid, n % 2 === 1), ['folder', `sub ${n}/`]])),
    );
    expect(answers.map(({ status, body }) => [status, body.dataset_uuid])).toEqual(
      answers.map(() => [200, uuid]),
    );
    expect(new Set(answers.map(({ body }) => body.job_id)).size).toBe(8);
    expect(await at.store.datasets.countDocuments({ uuid })).toBe(1);
    const orders = (await deliveredOrders(at.client, uuid)) as { seal: boolean; folder: string }[];
    expect(orders.map(({ seal }) => seal)).toEqual(orders.map(() => false));
    expect(orders.map(({ folder }) => folder).sort()).toEqual(
      Array.from({ length: 8 }, (_, n) => `sub ${n}`),
    );
  });

  test('uuid, number, slug and exact name each lead to the dataset; a name may hold hyphens', async () => {
    const made = await upload([], shared('Mouse-brain 7'));
    const uuid: string = made.body.dataset_uuid;
    await at.store.datasets.updateOne({ uuid }, { $set: { id: 48_151 } as never });
    const row = await at.store.datasets.findOne({ uuid });
    for (const identifier of [uuid, uuid.toUpperCase(), '48151', row?.slug ?? '', 'Mouse-brain 7']) {
      const answer = await upload(into(identifier, true));
      expect([identifier, answer.status, answer.body.dataset_uuid]).toEqual([identifier, 200, uuid]);
    }
  });

  test('what leads nowhere is 404, also a name that only another owner has', async () => {
    await upload([], shared('Private brain', 'eve@example.org'));
    for (const identifier of [crypto.randomUUID(), 'Private brain', 'nothing', '99999', '../../x']) {
      const answer = await upload(into(identifier, true));
      expect([identifier, answer.status, answer.body.code]).toEqual([identifier, 404, 'not_found']);
      expect(answer.body.error).toEqual(expect.any(String));
    }
  });

  test('a new dataset is named by a uuid or refused; one of another owner is not taken over', async () => {
    for (const identifier of ['brain', '../../x', '48151']) {
      const answer = await upload(into(identifier, false));
      expect([answer.status, answer.body.detail[0].loc]).toEqual([422, ['body', 'dataset_identifier']]);
    }
    const uuid: string = (await upload([], shared('Hers', 'eve@example.org'))).body.dataset_uuid;
    expect((await upload(into(uuid, false))).status).toBe(404);
    expect(await at.store.jobs.countDocuments({ dataset_uuid: uuid })).toBe(1);
  });

  test('a folder that can be no directory stays a label', async () => {
    const uuid = crypto.randomUUID();
    const answer = await upload([...into(uuid, false), ['folder', '../up']]);
    expect(answer.status).toBe(200);
    expect(await deliveredOrders(at.client, uuid)).toEqual([
      expect.not.objectContaining({ folder: '../up' }),
    ]);
    expect((await at.store.datasets.findOne({ uuid }))?.folder_uuid).toBe('../up');
  });
});

describe('a path on the server', () => {
  const send = (more: readonly Part[]): Promise<Answer> =>
    postForm(`${at.url}/api/upload/upload-path`, [...shared(), ...more]);

  test('its file gets the name that it had', async () => {
    const answer = await send([
      ['file_path', join(root, 'scan/raw.tif')],
      ['original_filename', 'slice 1.tif'],
    ]);
    expect(answer.body).toMatchObject({ upload_type: 'path', status: 'queued', estimated_duration: 60 });
    const job = await at.store.jobs.findOne({ job_id: answer.body.job_id });
    expect(job?.parameters).toMatchObject({
      order: { source: { kind: 'local', path: join(root, 'scan/raw.tif'), name: 'slice 1.tif' } },
    });
  });

  test('as an urlencoded form too, into a dataset that exists', async () => {
    const uuid: string = (await upload([])).body.dataset_uuid;
    const fields = [...shared(), ...into(uuid, true), ['file_path', join(root, 'scan/raw.tif')]];
    const answer = await fetch(`${at.url}/api/upload/upload-path`, {
      method: 'POST',
      body: new URLSearchParams(
        fields.map(([name, value]): [string, string] => [String(name), String(value)]),
      ),
    });
    expect([answer.status, await answer.json()]).toMatchObject([200, { dataset_uuid: uuid }]);
  });

  test.each<[string, Part[], number, string]>([
    ['outside the roots', [['file_path', '/etc/passwd']], 403, 'outside_roots'],
    ['missing', [['file_path', 'ROOT/none.tif']], 400, 'not_a_file'],
    ['a directory', [['file_path', 'ROOT/scan']], 400, 'not_a_file'],
    ['none', [], 422, 'invalid_field'],
    [
      'a name that climbs',
      [
        ['file_path', 'ROOT/scan/raw.tif'],
        ['original_filename', '../x'],
      ],
      400,
      'unsafe_name',
    ],
    ['into nothing', [['file_path', 'ROOT/scan/raw.tif'], ...into('nothing', true)], 404, 'not_found'],
    [
      'with a file',
      [
        ['file_path', 'ROOT/scan/raw.tif'],
        ['file', 'x', 'x.tif'],
      ],
      422,
      'invalid_field',
    ],
  ])('%s is refused', async (_what, parts, status, code) => {
    const before = await at.store.jobs.countDocuments({});
    const rooted = parts.map(
      ([name, value, file]) => [name, String(value).replace('ROOT', root), file] as unknown as Part,
    );
    const answer = await send(rooted);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(await at.store.jobs.countDocuments({})).toBe(before);
  });
});

test('limits, health and estimates in the words of the older servers', async () => {
  const limits = (await get(`${at.url}/api/upload/limits`)).body;
  expect(limits).toMatchObject({
    max_file_size_bytes: at.config.limits.fileBytes,
    chunk_size_bytes: at.config.limits.chunkBytes,
    chunk_size_mb: 1,
    large_file_threshold_mb: 100,
    resumable_upload_timeout_days: 7,
  });
  const large = (await get(`${at.url}/api/upload/large/limits`)).body;
  expect(large).toMatchObject({ recommended_for_files_larger_than_mb: 100, chunk_size_mb: 1 });
  expect(large.supported_source_types).toContain('local');
  expect((await get(`${at.url}/health`)).body).toMatchObject({
    status: 'healthy',
    large_file_threshold_mb: '100',
    timestamp: expect.any(String),
  });
  expect((await get(`${at.url}/health/large-files`)).body).toMatchObject({
    status: 'healthy',
    active_uploads: expect.any(Number),
    chunk_size_mb: 1,
  });
  expect((await get(`${at.url}/`)).body).toMatchObject({ message: 'Sluice', version: expect.any(String) });
  const estimate = await get(`${at.url}/api/upload/estimate-time?source_type=url&file_size_mb=100`);
  expect(estimate.body).toEqual({
    source_type: 'url',
    estimated_seconds: 320,
    estimated_minutes: 5.3,
    file_size_mb: 100,
  });
  for (const query of ['source_type=dropbox', '', 'source_type=url&file_size_mb=-1']) {
    expect((await get(`${at.url}/api/upload/estimate-time?${query}`)).status).toBe(422);
  }
});
