// Data of every sensor that a program converts, of known values, from a client to a published product.
import { mkdirSync, readFileSync } from 'node:fs';
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

test('a parameter that a sensor does not have is refused before anything is sent', async () => {
  const to = join(files, 'nothing');
  mkdirSync(to);
  const parameters = JSON.stringify({ datset: '/a' });
  const sent = await sendDirectory(stack.apiUrl, to, { sensor: 'HDF5', parameters });
  expect([sent.status, sent.body['code']]).toEqual([422, 'invalid_field']);
  expect(JSON.stringify(sent.body)).toContain('datset');
});
