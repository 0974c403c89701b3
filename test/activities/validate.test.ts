// The stage validate: of a large product a sample, with how sure it is; of one that changed after it was converted a failed
// validation that says where, never tried again, and nothing of it is published.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createConvertActivities } from '../../src/activities/convert/index.js';
import { createValidateActivities } from '../../src/activities/validate/index.js';
import { SAMPLE_BLOCKS } from '../../src/activities/validate/sample.js';
import { pathOf, type Roots } from '../../src/bytes/layout.js';
import { putManifest } from '../../src/bytes/store.js';
import { PROJECT_ROOT } from '../../src/config/env.js';
import type {
  ConvertInput,
  ConvertOutput,
  ValidateInput,
  ValidateOutput,
  Waits,
} from '../../src/contracts/activities.js';
import type { Sensor } from '../../src/domain/sensor.js';
import { runPython, tree } from '../support/data.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-777777777777';
let dir: string;
let roots: Roots;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-validate-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const environment = (): MockActivityEnvironment =>
  new MockActivityEnvironment({ attempt: 1 }, { logger: new DefaultLogger('ERROR') });
const deps = () => ({
  roots,
  progress: { report: () => undefined },
  python: process.env['SLUICE_PYTHON'] ?? 'SLUICE_PYTHON is not set: tests start with "npm test"',
  converters: join(PROJECT_ROOT, 'converters'),
  logs: join(dir, 'logs'),
  converterBytes: 0,
  threads: 2,
});

/** Converts the files that Python leaves in `to`. */
async function converted(sensor: Sensor, make: string): Promise<ConvertOutput> {
  const to = join(roots.in, UUID);
  await mkdir(to, { recursive: true });
  runPython(`import sys\nto = sys.argv[1]\n${make}`, [to]);
  const files = readdirSync(to).map((path) => {
    const content = readFileSync(join(to, path));
    return { path, size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  });
  const manifests = [await putManifest(roots, UUID, 'upload_1_a', { version: 1, files })];
  const input = {
    uuid: UUID,
    manifests,
    sensor,
    convert: sensor !== 'OTHER',
    parameters: {},
  } as ConvertInput;
  const { convertDataset } = createConvertActivities(deps());
  return (await environment().run<[ConvertInput], ConvertOutput | Waits, typeof convertDataset>(
    convertDataset,
    input,
  )) as ConvertOutput;
}

async function validated({ product }: ConvertOutput): Promise<ValidateOutput> {
  const { validateProduct } = createValidateActivities(deps());
  return await environment().run<[ValidateInput], ValidateOutput, typeof validateProduct>(validateProduct, {
    uuid: UUID,
    product,
  });
}

/** The product keeps its place in staging, unproven: no record of a proof, no receipt, nothing that readers see. */
function expectUnpublished({ product }: ConvertOutput): void {
  expect(existsSync(join(pathOf(roots, 'out', product.key), 'sluice/validation.json'))).toBe(false);
  const receipts = tree(join(roots.in, '.receipts')).filter((path) => path.includes('validate-'));
  expect(receipts).toEqual([]);
  expect(readdirSync(roots.out)).toEqual(['.staging']);
}

test('a byte of a block that flipped in staging: the box is named, and no second try helps', async () => {
  const output = await converted(
    'TIFF',
    `
import numpy as np, tifffile
tifffile.imwrite(to + "/a.tif", (np.arange(40 * 130 * 140) * 7 % 4001).astype("u2").reshape(40, 130, 140))`,
  );
  const product = pathOf(roots, 'out', output.product.key);
  const block = join(product, tree(product).find((path) => path.endsWith('.bin')) ?? '');
  const content = readFileSync(block);
  const at = content.length >> 1;
  content[at] = (content[at] ?? 0) ^ 0x10;
  writeFileSync(block, content);
  await expect(validated(output)).rejects.toMatchObject({
    type: 'product_differs',
    nonRetryable: true,
    message: expect.stringMatching(
      /in the field data at timestep 0 in the box \[\d+, \d+, \d+\] to \[\d+, \d+, \d+\]/,
    ),
  });
  expectUnpublished(output);
}, 60_000);

test('a product above the threshold is proven by a seeded sample, and the record says how sure that is', async () => {
  // 72 MiB of which each slice is one number.
  const output = await converted(
    'TIFF',
    `
import numpy as np, tifffile
pages = np.broadcast_to(np.arange(144, dtype="u2")[:, None, None], (144, 512, 512))
tifffile.imwrite(to + "/a.tif", pages, photometric="minisblack", compression="zlib")`,
  );
  await validated(output);
  const path = join(pathOf(roots, 'out', output.product.key), 'sluice/validation.json');
  const record = JSON.parse(readFileSync(path, 'utf8'));
  const { blocks, details } = record;
  expect(blocks).toBeGreaterThan(SAMPLE_BLOCKS);
  expect(record).toMatchObject({
    checked: SAMPLE_BLOCKS,
    details: { checked: SAMPLE_BLOCKS, blocks, complete: false, different: 0, seed: expect.any(Number) },
  });
  expect(details.bytes_checked).toBeLessThan(144 * 512 * 512 * 2);
  const bad = fewestFound(blocks, SAMPLE_BLOCKS);
  expect(details.confidence).toEqual({
    blocks,
    checked: SAMPLE_BLOCKS,
    complete: false,
    seed: details.seed,
    probability: 0.99,
    bad_blocks_found_from: bad,
    bad_share_found_from: bad / blocks,
  });
  // What was read from the source is told of all of it, compared or not.
  expect(details.source).toMatchObject({ min: 0, max: 143 });
}, 60_000);

/** The fewest bad blocks that a draw without the first and the last would meet in 99 of 100 cases, counted out. */
function fewestFound(blocks: number, checked: number): number {
  const [between, drawn] = [blocks - 2, checked - 2];
  for (let bad = 1; ; bad++) {
    let missed = 1;
    for (let k = 0; k < drawn; k++) missed *= Math.max(0, between - bad - k) / (between - k);
    if (missed <= 0.01) return bad;
  }
}

test('a file that is the product itself and is gone or changed in staging: it is named', async () => {
  const output = await converted('OTHER', 'open(to + "/a.dat", "w").write("measured")');
  const product = pathOf(roots, 'out', output.product.key);
  const file = join(product, tree(product).find((path) => path.endsWith('a.dat')) ?? '');
  // It may share its bytes with what was received: a new file, not a change in the old one.
  rmSync(file);
  const refused = { type: 'product_differs', nonRetryable: true, message: expect.stringContaining('a.dat') };
  await expect(validated(output)).rejects.toMatchObject(refused);
  writeFileSync(file, 'Measured');
  await expect(validated(output)).rejects.toMatchObject(refused);
  expectUnpublished(output);
}, 60_000);
