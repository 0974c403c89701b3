// Mistakes of clients: every refusal names the field, the path, or the state that it is about.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nearestWord } from '../../src/api/nearest-word.js';
import { type Harness, startHarness } from './support/harness.js';
import { type Answer, get, type Part, post, postForm } from './support/http.js';
import { FIELDS, putRows } from './support/rows.js';

let at: Harness;
beforeAll(async () => {
  at = await startHarness('mistakes', { urlAllow: ['files.example'] });
});
afterAll(async () => await at.close());

const good = { name: 'Brain', sensor: 'TIFF', user_email: 'ada@example.org' };
const form = (fields: Record<string, string>, file = 'file'): Part[] => [
  ...Object.entries(fields),
  [file, 'x', 'x.tif'],
];
const refusal = ({ status, body }: Answer) => [status, body.code, body.errors?.at(-1)?.loc, body.detail];
const made = () => at.store.datasets.countDocuments();

test('a JSON body with an unknown field is refused with the field and the nearest known one', async () => {
  const source = { type: 'url', url: 'https://files.example/a.tif' };
  const before = await made();
  for (const [route, body, loc, nearest] of [
    ['datasets', { ...FIELDS, nmae: 'x' }, ['body', 'nmae'], 'name'],
    ['datasets', { ...FIELDS, is_publik: true }, ['body', 'is_publik'], 'is_public'],
    ['uploads', { ...good, source, convrt: false }, ['body', 'convrt'], 'convert'],
    ['uploads', { ...good, source: { ...source, ulr: 'x' } }, ['body', 'source', 'ulr'], 'url'],
    ['uploads', { dataset: crypto.randomUUID(), source, sael: false }, ['body', 'sael'], 'seal'],
  ] as const) {
    const answer = await post(`${at.url}/api/v1/${route}`, body);
    const words = `${loc.slice(1).join('.')}: There is no field "${loc.at(-1)}" here; did you mean "${nearest}"?`;
    expect(refusal(answer)).toEqual([422, 'invalid_field', loc, words]);
  }
  const far = await post(`${at.url}/api/v1/datasets`, { ...FIELDS, colour: 'red' });
  expect(far.body.detail).toMatch(/^colour: There is no field "colour" here; the fields are name, sensor, /);
  expect(await made()).toBe(before);
});

test('a mistyped field that is needed is told twice: as unknown and as missing', async () => {
  const { sensor, ...rest } = good;
  const answer = await post(`${at.url}/api/v1/datasets`, { ...rest, sensr: sensor });
  expect(answer.body.errors).toEqual([
    { type: 'missing', loc: ['body', 'sensor'], msg: 'Field required' },
    expect.objectContaining({ type: 'unknown_field', loc: ['body', 'sensr'] }),
  ]);
});

test('a form with an unknown field or file part is refused and leaves nothing', async () => {
  const before = await made();
  const url = `${at.url}/api/v1/uploads`;
  const first = await postForm(url, form({ ...good, nmae: 'x' }));
  expect(refusal(first).slice(0, 3)).toEqual([422, 'invalid_field', ['body', 'nmae']]);
  expect(first.body.detail).toContain('did you mean "name"?');
  const last = await postForm(url, [...form({}), ...Object.entries({ ...good, sensr: 'TIFF' })]);
  expect(refusal(last).slice(0, 3)).toEqual([422, 'invalid_field', ['body', 'sensr']]);
  const part = await postForm(url, [...form(good), ['fiel', 'y', 'y.tif']]);
  expect(refusal(part).slice(0, 3)).toEqual([422, 'invalid_field', ['body', 'fiel']]);
  expect(part.body.detail).toContain('did you mean "file"?');
  // The last one was recorded with its first file, as every upload is; nothing is delivered to it.
  expect(await made()).toBeLessThanOrEqual(before + 1);
});

test('a whole description beside the dataset that has its own, and folders of files, are known fields', async () => {
  const url = `${at.url}/api/v1/uploads`;
  const { dataset_uuid } = (await postForm(url, form({ ...good, relative_path: 'a' }))).body;
  const more = await postForm(url, form({ ...good, dataset: dataset_uuid }));
  expect([more.status, more.body.dataset_uuid]).toEqual([201, dataset_uuid]);
});

test('a command with an unknown field is refused', async () => {
  const { uuid } = await putRows(at.store, { status: 'done' });
  const answer = await post(`${at.url}/api/v1/datasets/${uuid}/convert`, { reson: 'doubt' });
  expect(refusal(answer).slice(0, 3)).toEqual([422, 'invalid_field', ['body', 'reson']]);
});

test('compatible routes go on ignoring what they do not know', async () => {
  const shared = { user_email: 'ada@example.org', dataset_name: 'Brain', sensor: 'TIFF', nmae: 'x' };
  const sent = await postForm(`${at.url}/api/upload/local/upload`, [
    ...form(shared),
    ['other', 'y', 'y.tif'],
  ]);
  expect(sent.status).toBe(200);
  const source_config = { url: 'https://files.example/a.tif', nmae: 1 };
  const start = { ...shared, source_type: 'url', source_config };
  expect((await post(`${at.url}/api/upload/initiate`, start)).status).toBe(200);
});

test('the nearest word is none when all are far', () => {
  const known = ['name', 'sensor', 'user_email'];
  expect(nearestWord('SENSR', known)).toBe('sensor');
  expect(nearestWord('usermail', known)).toBe('user_email');
  expect(nearestWord('colour', known)).toBeUndefined();
  expect(nearestWord('name', known)).toBeUndefined();
});

test('a refused path is named as the client sent it', async () => {
  const root = join(at.config.home, 'roots');
  await mkdir(root, { recursive: true });
  const start = async (path: string) =>
    (await post(`${at.url}/api/v1/uploads`, { ...good, source: { type: 'local', path } })).body;
  const long = join(root, 'x'.repeat(200), 'end.tif');
  for (const [path, code] of [
    ['/etc/passwd', 'outside_roots'],
    ['scan', 'outside_roots'],
    [`${root}/../b "c".tif`, 'outside_roots'],
    [join(root, 'none.tif'), 'path_not_found'],
    [long, 'path_not_found'],
  ] as const) {
    const { code: told, detail } = await start(path);
    expect([told, detail]).toEqual([code, expect.stringContaining(`The path ${JSON.stringify(path)} `)]);
  }
});

test('a list of uploads without user_id says that it is missing', async () => {
  for (const query of ['', '?user_id=', '?limit=3']) {
    const { status, body } = await get(`${at.url}/api/upload/jobs${query}`);
    expect([status, body.code]).toEqual([400, 'missing_parameter']);
    expect(body.detail).toMatch(/^user_id is missing/);
    expect(body.error).toMatch(/missing/);
  }
});

test('a compatible cancel of what has ended says so, and how', async () => {
  const completed_at = new Date('2026-01-02T03:04:05Z');
  const done = await putRows(at.store, { status: 'done' }, { upload_status: 'completed', completed_at });
  const late = await post(`${at.url}/api/upload/cancel/${done.jobId}`);
  expect(late).toMatchObject({
    status: 404,
    body: { code: 'job_ended', error: 'The job has ended already.' },
  });
  expect(late.body.detail).toBe(
    `404: upload ${done.jobId} cannot be cancelled: it ended as "completed" at 2026-01-02T03:04:05.000Z`,
  );
  const note = { code: 'no_tiff', say: 'No TIFF.', remedy: 'Send one.', blame: 'content' } as const;
  const failed = await putRows(
    at.store,
    { status: 'failed' },
    { upload_status: 'failed', sluice: { runId: 'r', revision: 1, failure: note } },
  );
  const why = await post(`${at.url}/api/upload/cancel/${failed.jobId}`);
  expect([why.status, why.body.detail]).toEqual([
    404,
    expect.stringMatching(/it ended as "failed": No TIFF\.$/),
  ]);
  // Nothing runs for this one, but it has not ended either.
  const open = await putRows(at.store, { status: 'converting' }, { upload_status: 'processing' });
  const not = await post(`${at.url}/api/upload/cancel/${open.jobId}`);
  expect([not.status, not.body.code]).toEqual([409, 'conflict']);
});

test('a number that is none, or out of range, is answered with what is allowed', async () => {
  for (const [path, name, range] of [
    ['v1/jobs?limit=abc', 'limit', 'from 1 to 500'],
    ['v1/datasets?limit=0', 'limit', 'from 1 to 500'],
    ['v1/datasets?limit=1.5', 'limit', 'from 1 to 500'],
    ['upload/jobs?user_id=a&limit=abc', 'limit', 'from 1 to 1000'],
    ['upload/jobs?user_id=a&offset=-1', 'offset', '0 or more'],
  ] as const) {
    const { status, body } = await get(`${at.url}/api/${path}`);
    const errors = body.errors ?? body.detail;
    expect([path, status, errors]).toEqual([
      path,
      422,
      [expect.objectContaining({ loc: ['query', name], msg: `Input should be a whole number, ${range}` })],
    ]);
  }
  const compat = await get(`${at.url}/api/upload/jobs?user_id=a&limit=abc`);
  expect(compat.body.detail[0].input).toBe('abc');
});

test('a wrong `replaces` is refused before anything is written', async () => {
  const before = await made();
  const row = await putRows(at.store);
  const other = await putRows(at.store);
  const known = await at.store.datasets.findOne({ uuid: row.uuid });
  for (const target of [good, { dataset: row.uuid }]) {
    const fields = { ...target, replaces: other.jobId } as Record<string, string>;
    const answer = await postForm(`${at.url}/api/v1/uploads`, form(fields));
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid_field']);
  }
  expect(await made()).toBe(before + 2);
  expect(await at.store.datasets.findOne({ uuid: row.uuid })).toEqual(known);
});
