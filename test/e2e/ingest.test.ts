// From raw files to published datasets, every source and format, on the whole stack.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeZip } from '../support/archives.js';
import {
  readProduct,
  runPython,
  sha256sumCheck,
  tiffPage,
  tree,
  volume,
  writeStack,
} from '../support/data.js';
import { postJson, sendDirectory } from '../support/send.js';
import { Stack, until } from '../support/stack.js';

let stack: Stack;
let files: string;
let web: Server;
beforeAll(async () => {
  stack = await Stack.start({
    SLUICE_LOCAL_ROOTS: join(process.cwd(), '.sluice-test-none'),
    SLUICE_URL_ALLOW: '127.0.0.1',
    SLUICE_QUIET_MS: '300',
  });
  files = join(stack.home, 'files');
  mkdirSync(files);
  web = createServer((_request, response) => response.end(readFileSync(join(files, 'web.tif')))).listen(
    0,
    '127.0.0.1',
  );
  await once(web, 'listening');
}, 120_000);
afterAll(async () => {
  web.close();
  await stack.close();
}, 60_000);

const source = (path: string): string => `http://127.0.0.1:${(web.address() as AddressInfo).port}/${path}`;

async function expectPublished(uuid: string): Promise<string> {
  const row = await stack.settled(uuid);
  const product = join(stack.out, uuid);
  sha256sumCheck(product);
  expect(readlinkSync(product)).toMatch(new RegExp(`^\\.versions/${uuid}/[0-9a-f]{32}$`));
  const crate = JSON.parse(readFileSync(join(product, 'ro-crate-metadata.json'), 'utf8')) as {
    '@graph': { '@id': string }[];
  };
  expect(crate['@graph'].map((entity) => entity['@id'])).toEqual(
    expect.arrayContaining(['./', '#conversion']),
  );
  const manifest = join(product, 'manifest.json');
  expect(row.sluice.product?.manifest.digest).toBe(
    createHash('sha256').update(readFileSync(manifest)).digest('hex'),
  );
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
  expect(tree(join(stack.out, '.staging'))).toEqual([]);
  return product;
}

test('a TIFF stack sent as one multipart form ends as an IDX volume equal to its source, with a picture', async () => {
  const data = volume(37, 29, 12);
  const sent = await sendDirectory(stack.apiUrl, writeStack(join(files, 'stack'), data));
  expect(sent.status).toBe(201);
  const product = await expectPublished(sent.uuid);
  expect(readProduct(join(product, 'visus.idx'))).toMatchObject({ sha256: data.sha256, shape: [12, 29, 37] });
  expect(await stack.history(`dataset:${sent.uuid}`)).toEqual([
    'uploading',
    'conversion queued',
    'converting',
    'done',
  ]);
  const picture = await fetch(`${stack.apiUrl}/api/v1/datasets/${sent.uuid}/preview`);
  expect(picture.headers.get('content-type')).toBe('image/png');
  for (const name of ['preview?axis=x', 'preview?axis=y', 'strip', 'histogram?format=png', 'histogram']) {
    expect([name, (await fetch(`${stack.apiUrl}/api/v1/datasets/${sent.uuid}/${name}`)).status]).toEqual([
      name,
      200,
    ]);
  }
  const job = await stack.job(sent.job);
  expect(job).toMatchObject({ status: 'completed', upload_status: 'completed', file_count: 12 });
  const status = (await (await fetch(`${stack.apiUrl}/api/upload/status/${sent.job}`)).json()) as object;
  expect(status).toMatchObject({ status: 'completed', progress_percentage: 100 });
}, 90_000);

test('a URL is fetched and published', async () => {
  const data = volume(16, 16, 4, 7);
  writeStack(join(files, 'one'), { ...data, z: 1 });
  writeFileSync(join(files, 'web.tif'), readFileSync(join(files, 'one/slice_0.tif')));
  const sent = await postJson(`${stack.apiUrl}/api/upload/initiate`, {
    source_type: 'url',
    source_config: { url: `${source('data.tif')}?token=s3cret` },
    user_email: 'ada@example.org',
    dataset_name: 'from the web',
    sensor: 'TIFF',
    convert: true,
    is_public: false,
    folder: null,
    team_uuid: null,
  });
  expect(sent).toMatchObject({ status: 200, body: { status: 'queued', upload_type: expect.any(String) } });
  const uuid = (await stack.job(sent.job)).dataset_uuid;
  const page = createHash('sha256')
    .update(data.bytes.subarray(0, 16 * 16 * 2))
    .digest('hex');
  expect(readProduct(join(await expectPublished(uuid), 'visus.idx')).sha256).toBe(page);
  const { events } = await stack.client.workflow.getHandle(`upload:${sent.job}`).fetchHistory();
  expect(JSON.stringify(events)).not.toContain(Buffer.from('s3cret').toString('base64').slice(0, 6));
  expect(readFileSync(join(stack.home, 'worker.log'), 'utf8')).not.toContain('s3cret');
}, 60_000);

test('a zip of TIFFs is unpacked and becomes one volume; the archive stays', async () => {
  const data = volume(20, 10, 5, 3);
  const directory = writeStack(join(files, 'zipped'), data);
  mkdirSync(join(files, 'zip'));
  runPython('import shutil,sys; shutil.make_archive(sys.argv[1], "zip", sys.argv[2])', [
    join(files, 'zip/stack'),
    directory,
  ]);
  const sent = await sendDirectory(stack.apiUrl, join(files, 'zip'));
  const product = await expectPublished(sent.uuid);
  expect(readProduct(join(product, 'visus.idx')).sha256).toBe(data.sha256);
  expect(await stack.history(`dataset:${sent.uuid}`)).toEqual([
    'uploading',
    'unzipping',
    'conversion queued',
    'converting',
    'done',
  ]);
  expect(tree(join(stack.in, sent.uuid))).toContain('stack.zip');
}, 60_000);

test('a NetCDF file with time, z, y, x becomes timesteps of a volume', async () => {
  const directory = join(files, 'netcdf');
  mkdirSync(directory);
  const sha = runPython(
    `
import sys, hashlib, numpy, netCDF4
d = netCDF4.Dataset(sys.argv[1], "w")
for n, s in (("time", 3), ("z", 4), ("y", 5), ("x", 6)): d.createDimension(n, s)
v = d.createVariable("t", "f4", ("time", "z", "y", "x"))
a = numpy.arange(360, dtype="f4").reshape(3, 4, 5, 6)
v[:] = a
d.close()
print(hashlib.sha256(a[2].tobytes()).hexdigest())
`,
    [join(directory, 'a.nc')],
  ).trim();
  const sent = await sendDirectory(stack.apiUrl, directory, { sensor: 'NETCDF' });
  const product = await expectPublished(sent.uuid);
  expect(readProduct(join(product, 'visus.idx'), 2)).toMatchObject({ sha256: sha, shape: [4, 5, 6] });
}, 60_000);

test('an IDX product sent again as IDX is checked and published', async () => {
  const data = volume(16, 16, 8, 5);
  const first = await sendDirectory(stack.apiUrl, writeStack(join(files, 'for-idx'), data));
  await stack.settled(first.uuid);
  const copy = join(files, 'idx');
  runPython(
    'import shutil,sys; shutil.copytree(sys.argv[1], sys.argv[2], ignore=shutil.ignore_patterns("sluice","*.json","*.txt"))',
    [join(stack.out, first.uuid), copy],
  );
  const sent = await sendDirectory(stack.apiUrl, copy, { sensor: 'IDX' });
  const product = await expectPublished(sent.uuid);
  expect(readProduct(join(product, 'visus.idx')).sha256).toBe(data.sha256);
}, 60_000);

test('OTHER is published as it is, also files that are named like ours; without conversion likewise', async () => {
  const directory = join(files, 'other');
  mkdirSync(directory);
  writeFileSync(join(directory, 'notes.txt'), 'hello');
  writeFileSync(join(directory, 'manifest.json'), '{"mine":true}');
  const sent = await sendDirectory(stack.apiUrl, directory, { sensor: 'OTHER' });
  const product = await expectPublished(sent.uuid);
  expect(readFileSync(join(product, 'data/manifest.json'), 'utf8')).toBe('{"mine":true}');
  const raw = await sendDirectory(stack.apiUrl, writeStack(join(files, 'raw'), volume(4, 4, 2)), {
    convert: 'false',
  });
  const kept = await expectPublished(raw.uuid);
  expect(tree(kept)).toContain('slice_1.tif');
  expect(await stack.history(`dataset:${raw.uuid}`)).toEqual(['uploading', 'done']);
}, 60_000);

test('a second delivery into a done dataset converts both and moves the row forward', async () => {
  const data = volume(8, 8, 6, 9);
  const page = 8 * 8 * 2;
  const first = writeStack(join(files, 'first'), { ...data, z: 3 });
  const sent = await sendDirectory(stack.apiUrl, first);
  const before = await stack.settled(sent.uuid);
  const second = join(files, 'second');
  mkdirSync(second);
  for (let k = 3; k < 6; k += 1) {
    writeFileSync(
      join(second, `slice_${k}.tif`),
      tiffPage(8, 8, data.bytes.subarray(k * page, (k + 1) * page)),
    );
  }
  const more = await sendDirectory(stack.apiUrl, second, { dataset: sent.uuid });
  expect(more.status).toBe(201);
  await until('the second upload is done', async () => (await stack.job(more.job)).status === 'completed');
  const product = await expectPublished(sent.uuid);
  expect(readProduct(join(product, 'visus.idx'))).toMatchObject({ sha256: data.sha256, shape: [6, 8, 8] });
  const after = await stack.dataset(sent.uuid);
  expect(after.sluice.runId).not.toBe(before.sluice.runId);
  expect((await stack.job(sent.job)).upload_status).toBe('completed');
}, 60_000);

test.each<[string, string, string, string | Buffer, string]>([
  ['text in a TIFF', 'TIFF', 'a.tif', 'this is text', 'not_tiff'],
  [
    'a TIFF that is cut off',
    'TIFF',
    'a.tif',
    tiffPage(64, 64, Buffer.alloc(8192)).subarray(0, 4000),
    'truncated',
  ],
  [
    'a zip that reaches out',
    'TIFF',
    'a.zip',
    makeZip([{ name: '../evil', content: Buffer.from('x') }]),
    'archive_unsafe',
  ],
  [
    'a zip that is cut off',
    'TIFF',
    'a.zip',
    makeZip([{ name: 'a.tif', content: Buffer.alloc(999) }]).subarray(0, -30),
    'archive_broken',
  ],
  ['no TIFF at all', 'TIFF', 'a.txt', 'text', 'no_tiff'],
  ['not NetCDF', 'NETCDF', 'a.nc', 'text', 'not_netcdf'],
  ['no IDX', 'IDX', 'a.bin', 'text', 'no_idx'],
])(
  'bad content: %s fails with its code, and nothing is half published',
  async (name, sensor, file, content, code) => {
    const directory = join(files, `bad ${name}`);
    mkdirSync(directory);
    writeFileSync(join(directory, file), content);
    const sent = await sendDirectory(stack.apiUrl, directory, { sensor, name });
    expect(sent.status).toBe(201);
    const row = await stack.settled(sent.uuid, 'failed');
    expect(row.sluice.failure).toMatchObject({ code, blame: 'content' });
    expect(row.error_message).toContain(String(row.sluice.failure?.remedy));
    expect(tree(join(stack.out, sent.uuid))).toEqual([]);
    expect(tree(join(stack.out, '.staging'))).toEqual([]);
    const job = (await (await fetch(`${stack.apiUrl}/api/upload/status/${sent.job}`)).json()) as object;
    expect(job).toMatchObject({ status: 'failed', error_message: expect.any(String) });
  },
  60_000,
);

test('an empty file is refused at once, by name, and leaves nothing', async () => {
  const directory = join(files, 'empty');
  mkdirSync(directory);
  writeFileSync(join(directory, 'hollow.bin'), '');
  const sent = await sendDirectory(stack.apiUrl, directory, { sensor: 'OTHER' });
  expect(sent).toMatchObject({
    status: 422,
    body: { code: 'empty_file', detail: expect.stringContaining('hollow.bin') },
  });
  expect(tree(join(stack.in, '.staging'))).toEqual([]);
  await until('its row says so', async () => {
    const row = await stack.store.datasets.findOne({}, { sort: { created_at: -1 } });
    return row?.status === 'failed' && row.sluice.failure?.code === 'empty_file';
  });
});
