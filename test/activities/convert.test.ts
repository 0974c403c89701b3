// The activity convertDataset with real converters: killed, doubled, starved, and what of it is left.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createConvertActivities } from '../../src/activities/convert/index.js';
import type { ProgressReport } from '../../src/activities/support/heartbeat.js';
import { pathOf, type Roots } from '../../src/bytes/layout.js';
import { putManifest } from '../../src/bytes/store.js';
import { PROJECT_ROOT } from '../../src/config/env.js';
import type { ConvertInput, ConvertOutput, Waits } from '../../src/contracts/activities.js';
import type { Sensor } from '../../src/domain/sensor.js';
import { readProduct, runPython } from '../support/data.js';
import { signalProgramsIn } from '../support/proc.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-555555555555';
const MIB = 1024 * 1024;
let dir: string;
let roots: Roots;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-convert-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Files of the dataset, made by Python that writes into `to` and leaves in `values` what the product must read as. */
async function deliver(make: string): Promise<{ input: ConvertInput; sha256: string }> {
  const to = join(roots.in, UUID);
  await mkdir(to, { recursive: true });
  const digest = 'print(hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest())';
  const said = runPython(`import hashlib, sys\nimport numpy as np\nto = sys.argv[1]\n${make}\n${digest}`, [
    to,
  ]);
  const paths = readdirSync(to, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(to, join(entry.parentPath, entry.name)));
  const files = await Promise.all(
    paths.map(async (path) => ({
      path,
      size: statSync(join(to, path)).size,
      sha256: createHash('sha256')
        .update(await readFile(join(to, path)))
        .digest('hex'),
    })),
  );
  const manifests = [await putManifest(roots, UUID, 'upload_1_a', { version: 1, files })];
  const input = { uuid: UUID, manifests, sensor: 'TIFF', convert: true, parameters: {} } as ConvertInput;
  return { input, sha256: said.trim() };
}

const PYTHON = process.env['SLUICE_PYTHON'] ?? 'SLUICE_PYTHON is not set: tests start with "npm test"';

/** The interpreter, for whose converters each finished piece takes a second. */
function slowPython(): string {
  const path = join(dir, 'slow-python');
  const script = join(PROJECT_ROOT, 'test/support/slow_pieces.py');
  writeFileSync(path, `#!/bin/sh\nexec '${PYTHON}' '${script}' "$@"\n`, { mode: 0o755 });
  return path;
}

interface Trying {
  readonly onProgress?: (report: ProgressReport) => void;
  readonly number?: number;
  /** A second for each piece, so that whatever is to meet it in its middle does, however late this process hears of it. */
  readonly slowly?: boolean;
}

/** One attempt in an environment of its own. */
async function attempt(
  input: ConvertInput,
  { onProgress, number = 1, slowly = false }: Trying = {},
): Promise<ConvertOutput> {
  const env = new MockActivityEnvironment({ attempt: number }, { logger: new DefaultLogger('ERROR') });
  const { convertDataset } = createConvertActivities({
    roots,
    progress: { report: (progress) => onProgress?.(progress) },
    python: slowly ? slowPython() : PYTHON,
    converters: join(PROJECT_ROOT, 'converters'),
    logs: join(dir, 'logs'),
    converterBytes: 0,
    threads: 2,
  });
  return (await env.run<[ConvertInput], ConvertOutput | Waits, typeof convertDataset>(
    convertDataset,
    input,
  )) as ConvertOutput;
}

const staged = (): string[] => readdirSync(join(roots.out, '.staging', UUID)).sort();

/** @param step the timestep that must read as `values` did */
function expectProduct({ product }: ConvertOutput, sha256: string, step?: number): Record<string, unknown> {
  const path = pathOf(roots, 'out', product.key);
  expect(readProduct(join(path, 'visus.idx'), step).sha256).toBe(sha256);
  return JSON.parse(readFileSync(join(path, 'sluice/conversion.json'), 'utf8')).result;
}

const BIG = `
import tifffile
values = (np.arange(96 * 1024 * 1024, dtype="u4") * 7 % 4001).astype("u2").reshape(96, 1024, 1024)
tifffile.imwrite(to + "/a.tif", values, photometric="minisblack")`;

test('a converter that is killed goes on in the next attempt; progress begins where it was', async () => {
  const { input, sha256 } = await deliver(BIG);
  let killed = 0;
  const killing = attempt(input, {
    slowly: true,
    onProgress: ({ done }) => {
      if (done > 40 * MIB && killed === 0) killed = signalProgramsIn(join(roots.out, '.staging'), 'SIGKILL');
    },
  });
  await expect(killing).rejects.toMatchObject({ type: 'program_failed', nonRetryable: false });
  expect(killed).toBe(1);
  expect(staged()).toEqual([expect.stringMatching(/^convert-/)]);
  const reports: ProgressReport[] = [];
  const output = await attempt(input, { number: 2, onProgress: (report) => reports.push(report) });
  const { resumed } = expectProduct(output, sha256) as { resumed: { slabs: number; bytes: number } };
  expect(resumed).toMatchObject({ slabs: expect.any(Number), of: 6, bytes: resumed.slabs * 32 * MIB });
  expect(resumed.slabs).toBeGreaterThan(0);
  expect(reports[0]?.done).toBeGreaterThanOrEqual(resumed.bytes);
  expect(staged()).toEqual([expect.stringMatching(/^product-/)]);
}, 60_000);

test('the last attempt that fails leaves nothing, and neither does one with bad content', async () => {
  const { input } = await deliver(BIG);
  const onProgress = (): void => void signalProgramsIn(join(roots.out, '.staging'), 'SIGKILL');
  await expect(attempt(input, { number: 3, slowly: true, onProgress })).rejects.toMatchObject({
    nonRetryable: true,
  });
  expect(staged()).toEqual([]);
  await rm(join(roots.in, UUID, 'a.tif'));
  const bad = await deliver('values = np.zeros(1)\nopen(to + "/a.tif", "w").write("text")');
  await expect(attempt(bad.input)).rejects.toMatchObject({ type: 'not_tiff', nonRetryable: true });
  expect(staged()).toEqual([]);
}, 60_000);

/** Some 60 MiB, a slab for each timestep at least; `values` are the last of `steps`. */
const DOUBLED: readonly { sensor: Sensor; make: string; steps: number }[] = [
  {
    sensor: 'TIFF',
    steps: 8,
    make: `
import tifffile
for step in range(8):
    values = (np.arange(8 * 512 * 1024, dtype="u4") * 7 % (4001 - step)).astype("u2").reshape(8, 512, 1024)
    tifffile.imwrite(to + f"/t{step}.tif", values, photometric="minisblack")`,
  },
  {
    sensor: 'IDX',
    steps: 12,
    make: `
import OpenVisus as ov
made = ov.CreateIdx(url=to + "/visus.idx", dims=[256, 256, 64], fields=[ov.Field("v", "uint8")], time=(0, 11, "t%02d/"))
for step in range(12):
    values = np.full((64, 256, 256), step, "u1")
    made.write(values, time=step)`,
  },
  {
    sensor: 'MAPIR',
    steps: 8,
    make: `
import tifffile
for step in range(8):
    photo = (np.arange(1200 * 1000 * 3, dtype="u4") * 7 % (211 + step)).astype("u1").reshape(1200, 1000, 3)
    tifffile.imwrite(to + f"/p{step}.tif", photo, photometric="rgb")
red, nir = photo[..., 0].astype("f4"), photo[..., 2].astype("f4")
with np.errstate(all="ignore"):
    values = (nir - red) / (nir + red)`,
  },
  {
    sensor: 'NIFTI',
    steps: 8,
    make: `
import struct
head = bytearray(352)
for place, form, numbers in (
    (0, "<i", (348,)), (40, "<8h", (4, 512, 256, 32, 8, 1, 1, 1)), (70, "<2h", (512, 16)), (108, "<f", (352,)),
    (344, "<4s", (b"n+1",)),
):
    struct.pack_into(form, head, place, *numbers)
values = (np.arange(8 * 32 * 256 * 512, dtype="u4") * 7 % 4001).astype("u2").reshape(8, 32, 256, 512)
with open(to + "/a.nii", "wb") as file:
    file.write(head)
    file.write(values.tobytes())
values = values[-1]`,
  },
];

test.each(DOUBLED)(
  'two conversions of one dataset at once: the later one ends the earlier and goes on with its work: $sensor',
  async ({ sensor, make, steps }) => {
    const { input, sha256 } = await deliver(make);
    const wish = { ...input, sensor };
    let second: Promise<ConvertOutput> | undefined;
    const first = attempt(wish, {
      slowly: true,
      onProgress: ({ done }) => {
        if (done < 10 * MIB || second !== undefined) return;
        signalProgramsIn(join(roots.out, '.staging'), 'SIGSTOP');
        second = attempt(wish, { number: 2 });
      },
    });
    await expect(first).rejects.toMatchObject({ nonRetryable: false });
    if (second === undefined) throw new Error('the second never began');
    const result = expectProduct(await second, sha256, steps - 1);
    expect(result).toMatchObject({ resumed: { bytes: expect.any(Number) } });
    expect((result as { resumed: { bytes: number } }).resumed.bytes).toBeGreaterThan(0);
    expect(staged()).toEqual([expect.stringMatching(/^product-/)]);
  },
  60_000,
);

test('what an attempt at other work left is removed, not continued', async () => {
  const { input } = await deliver(BIG);
  const onProgress = ({ done }: ProgressReport): void => {
    if (done > 40 * MIB) signalProgramsIn(join(roots.out, '.staging'), 'SIGKILL');
  };
  const killing = attempt(input, { slowly: true, onProgress });
  await expect(killing).rejects.toMatchObject({ type: 'program_failed' });
  const [left = ''] = staged();
  expect(existsSync(join(roots.out, '.staging', UUID, left, 'journal.jsonl'))).toBe(true);
  const output = await attempt({ ...input, parameters: { output: 'zarr' } }, { number: 2 });
  const record = readFileSync(
    join(pathOf(roots, 'out', output.product.key), 'sluice/conversion.json'),
    'utf8',
  );
  expect(JSON.parse(record).result).not.toHaveProperty('resumed');
  expect(staged()).toEqual([expect.stringMatching(/^product-/)]);
}, 60_000);
