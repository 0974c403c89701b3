// Zarr beside OpenVisus: asked for on the command line, opened by stock zarr-python, and proven again later.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readProduct, runPython, sha256sumCheck } from '../support/data.js';
import { sendDirectory } from '../support/send.js';
import { stackHere } from '../support/stack-here.js';

const { stack, directory, sluice } = stackHere();

const writeVolume = (to: string): string =>
  runPython(
    `import hashlib, sys, numpy as np, tifffile
values = (np.arange(20 * 150 * 160) % 4001).reshape(20, 150, 160).astype("u2")
tifffile.imwrite(sys.argv[1], values)
print(hashlib.sha256(values.tobytes()).hexdigest())`,
    [to],
  ).trim();

const readZarr = (path: string): { sha256: string; version: string; levels: number[][] } =>
  JSON.parse(
    runPython(
      `import hashlib, json, sys, zarr
image = zarr.open_group(sys.argv[1], mode="r")
ome = image.attrs["ome"]
arrays = [image[level["path"]] for level in ome["multiscales"][0]["datasets"]]
sha256 = hashlib.sha256(arrays[0][...].tobytes()).hexdigest()
print(json.dumps({"sha256": sha256, "version": ome["version"], "levels": [list(array.shape) for array in arrays]}))`,
      [path],
    ),
  );

test('both forms hold the source, and verify finds damage in either', async () => {
  const to = join(directory('both'), 'volume.tif');
  const sha256 = writeVolume(to);
  const { code, last } = await sluice('ingest', to, '--sensor', 'TIFF', '--output', 'both');
  expect([code, last]).toMatchObject([0, { dataset: expect.any(String) }]);
  const uuid = String(last['dataset']);
  const product = join(stack().out, uuid);
  sha256sumCheck(product);
  expect(readProduct(join(product, 'visus.idx')).sha256).toBe(sha256);
  const read = readZarr(join(product, 'data.zarr'));
  expect(read).toEqual({
    sha256,
    version: '0.5',
    levels: [
      [20, 150, 160],
      [20, 75, 80],
    ],
  });
  const whole = await sluice('verify', uuid);
  expect([whole.code, whole.last]).toMatchObject([0, { result: { outcome: 'whole' } }]);
  const folder = join(product, 'data.zarr/0/c');
  const chunk = join(folder, readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort().at(-1) ?? '');
  const content = readFileSync(chunk);
  content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 0x10;
  writeFileSync(chunk, content);
  const damaged = await sluice('verify', uuid);
  const place = { field: 'data', entry: 'data.zarr/0', timestep: 0 };
  expect([damaged.code, damaged.last]).toMatchObject([
    1,
    {
      result: {
        outcome: 'damaged',
        proof: { differences: expect.arrayContaining([expect.objectContaining(place)]) },
      },
    },
  ]);
}, 60_000);

test('Zarr alone has its proof and pictures; a sensor or a compression that does not fit is refused', async () => {
  const to = directory('alone');
  const sha256 = writeVolume(join(to, 'a.tif'));
  const parameters = JSON.stringify({ compression: 'lz4' });
  const sent = await sendDirectory(stack().apiUrl, to, { output: 'zarr', parameters });
  expect(sent.status).toBe(201);
  await stack().settled(sent.uuid);
  const shown = await (await fetch(`${stack().apiUrl}/api/v1/datasets/${sent.uuid}`)).json();
  expect(shown).toMatchObject({
    parameters: { output: 'zarr', compression: 'lz4' },
    product: { kind: 'zarr', entry: 'data.zarr', preview: expect.any(String) },
  });
  const product = join(stack().out, sent.uuid);
  expect(readZarr(join(product, 'data.zarr')).sha256).toBe(sha256);
  const record = JSON.parse(readFileSync(join(product, 'sluice/conversion.json'), 'utf8'));
  expect(record).toMatchObject({
    parameters: { compression: 'lz4' },
    result: { compression: { zarr: 'lz4' } },
  });
  const refused = await sendDirectory(stack().apiUrl, to, { sensor: 'IDX', output: 'zarr' });
  expect([refused.status, refused.body]).toMatchObject([422, { detail: expect.stringContaining('output') }]);
  const zip = { output: 'zarr', parameters: JSON.stringify({ compression: 'zip' }) };
  const packed = await sendDirectory(stack().apiUrl, to, zip);
  expect([packed.status, packed.body]).toMatchObject([
    422,
    {
      code: 'invalid_field',
      detail: expect.stringContaining('compression: the output zarr has zstd or lz4, not zip'),
    },
  ]);
}, 60_000);
