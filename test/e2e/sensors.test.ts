// Data of every sensor that a program converts, of known values, from a client to a published product.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readProduct, runPython, sha256sumCheck } from '../support/data.js';
import { sendDirectory } from '../support/send.js';
import { Stack } from '../support/stack.js';

let stack: Stack;
let files: string;
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_QUIET_MS: '300' });
  files = join(stack.home, 'files');
  mkdirSync(files);
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

interface Sample {
  readonly sensor: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Python that writes files into `to` and leaves in `values` what the product must read as. */
  readonly make: string;
}

const SAMPLES: readonly Sample[] = [
  {
    sensor: 'HDF5',
    parameters: { dataset: '/entry/data' },
    make: `
import h5py
values = (np.arange(7 * 20 * 30) * 3 % 1000).reshape(7, 20, 30).astype("f4")
with h5py.File(to + "/a.h5", "w") as file:
    file.create_dataset("entry/data", data=values, chunks=(3, 20, 30), compression="gzip")
    file.create_dataset("entry/larger", data=np.zeros((99, 99, 9)))`,
  },
  {
    sensor: '4D_Probe',
    parameters: {
      Xs_dataset: '/entry/x',
      Ys: '/entry/y',
      presample: '/entry/before',
      postsample: '/entry/behind',
    },
    make: `
import h5py
volume = (np.arange(5 * 6 * 7 * 8) % 999).reshape(5, 6, 7, 8).astype("u2")
values = volume[0]
with h5py.File(to + "/scan.nxs", "w") as file:
    file.create_dataset("entry/volume", data=volume)
    for name, size in (("x", 5), ("y", 6), ("before", 30), ("behind", 30)):
        file.create_dataset("entry/" + name, data=np.arange(size) + 1.0)`,
  },
  {
    sensor: 'OTHER',
    parameters: { recognise: true, dataset: 'second' },
    make: `
import h5py
values = (np.arange(20 * 30) % 97).reshape(20, 30).astype("i4")
with h5py.File(to + "/unknown", "w") as file:
    file["first"], file["second"] = np.zeros((99, 99)), values`,
  },
  {
    sensor: 'TIFF RGB',
    parameters: { columns: 2 },
    make: `
import tifffile
values = (np.arange(40 * 60 * 3) % 251).astype("u1").reshape(40, 60, 3)
for column in range(2):
    tile = values[:, column * 30 : column * 30 + 30]
    tifffile.imwrite(to + f"/t{column}.tif", tile, photometric="rgb", compression="lzw")`,
  },
  {
    sensor: 'RGB',
    parameters: {},
    make: `
import imagecodecs
values = (np.arange(40 * 60 * 3) % 249).astype("u1").reshape(40, 60, 3)
open(to + "/photo.png", "wb").write(imagecodecs.png_encode(values))`,
  },
  {
    sensor: 'MAPIR',
    parameters: { red: 1, nir: 3 },
    make: `
import tifffile
photo = (np.arange(40 * 60 * 3) % 241 + 1).astype("u1").reshape(40, 60, 3)
tifffile.imwrite(to + "/photo.tif", photo, photometric="rgb")
red, nir = photo[..., 0].astype("f4"), photo[..., 2].astype("f4")
values = (nir - red) / (nir + red)`,
  },
];

test.each(SAMPLES)(
  '$sensor',
  async ({ sensor, parameters, make }) => {
    const to = join(files, sensor);
    mkdirSync(to);
    const digest = 'print(hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest())';
    const sha256 = runPython(`import hashlib, sys\nimport numpy as np\nto = sys.argv[1]${make}\n${digest}`, [
      to,
    ]);
    const sent = await sendDirectory(stack.apiUrl, to, { sensor, parameters: JSON.stringify(parameters) });
    expect(sent.status).toBe(201);
    await stack.settled(sent.uuid);
    const product = join(stack.out, sent.uuid);
    sha256sumCheck(product);
    expect(readProduct(join(product, 'visus.idx')).sha256).toBe(sha256.trim());
    expect(JSON.parse(readFileSync(join(product, 'metadata.json'), 'utf8'))).toHaveProperty('format');
  },
  60_000,
);

test('OTHER of no known kind is published as it is, whatever is wished', async () => {
  const to = join(files, 'unknown');
  mkdirSync(to);
  writeFileSync(join(to, 'a.dat'), 'II*\0');
  writeFileSync(join(to, 'b.dat'), 'notes');
  const parameters = JSON.stringify({ recognise: true });
  const sent = await sendDirectory(stack.apiUrl, to, { sensor: 'OTHER', parameters });
  await stack.settled(sent.uuid);
  expect(readFileSync(join(stack.out, sent.uuid, 'b.dat'), 'utf8')).toBe('notes');
}, 60_000);

test('a parameter that a sensor does not have is refused before anything is sent', async () => {
  const to = join(files, 'nothing');
  mkdirSync(to);
  writeFileSync(join(to, 'a.h5'), 'x');
  const parameters = JSON.stringify({ datset: '/a' });
  const sent = await sendDirectory(stack.apiUrl, to, { sensor: 'HDF5', parameters });
  expect([sent.status, sent.body['code']]).toEqual([422, 'invalid_field']);
  expect(JSON.stringify(sent.body)).toContain('datset');
});
