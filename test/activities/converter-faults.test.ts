// Every converter under the runner of programs, where something around it fails: memory, its input's device, the disk.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PROJECT_ROOT } from '../../src/config/env.js';
import { Fault } from '../../src/domain/fault.js';
import { runProgram } from '../../src/process/run-process.js';
import { runPython } from '../support/data.js';
import { signalProgramsIn } from '../support/proc.js';

const MIB = 2 ** 20;
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-converters-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Converter {
  readonly program: string;
  /** Python that writes small files into `to`, whose product is larger than what it declares. */
  readonly small: string;
  /** Python that writes a file into `to` that declares 512 MiB and holds next to none of them. */
  readonly large: string;
}

const H5 = (file: string, shape: string): string => `
import h5py
with h5py.File(to + "/${file}", "w") as file:
    file.create_dataset("v", ${shape})`;

const NII = (dim: string, values: string): string => `
import struct
head = bytearray(352)
for place, form, numbers in (
    (0, "<i", (348,)), (40, "<8h", (${dim}, 1, 1, 1, 1)), (70, "<2h", (512, 16)), (108, "<f", (352,)), (344, "<4s", (b"n+1",)),
):
    struct.pack_into(form, head, place, *numbers)
with open(to + "/a.nii", "wb") as file:
    file.write(head)
    ${values}`;

const CONVERTERS: readonly Converter[] = [
  {
    program: 'idx',
    small: `
import OpenVisus as ov
d = ov.CreateIdx(url=to + "/visus.idx", dims=[16, 16], fields=[ov.Field("v", "uint8")], time=(0, 59, "t%02d/"))
for step in range(60):
    d.write(np.full((16, 16), step, "u1"), time=step)
d.compressDataset(["zip"])`,
    large: `
import OpenVisus as ov
d = ov.CreateIdx(url=to + "/visus.idx", dims=[1024, 1024, 256], fields=[ov.Field("v", "uint16")], blocksperfile=-1)
d.write(np.zeros((1, 16, 16), "u2"))`,
  },
  {
    program: 'tiff',
    small: 'import tifffile\ntifffile.imwrite(to + "/a.tif", np.ones((129, 129), "u2"))',
    large: 'import tifffile\ntifffile.memmap(to + "/a.tif", shape=(256, 1024, 1024), dtype="u2")',
  },
  {
    program: 'rgb',
    small:
      'import tifffile\ntifffile.imwrite(to + "/a.tif", np.ones((129, 129, 3), "u1"), photometric="rgb")',
    large:
      'import tifffile\ntifffile.memmap(to + "/a.tif", shape=(16384, 10922, 3), dtype="u1", photometric="rgb")',
  },
  {
    program: 'mapir',
    small:
      'import tifffile\ntifffile.imwrite(to + "/a.tif", np.ones((129, 129, 3), "u1"), photometric="rgb")',
    large:
      'import tifffile\ntifffile.memmap(to + "/a.tif", shape=(16384, 10922, 3), dtype="u1", photometric="rgb")',
  },
  {
    program: 'netcdf',
    small: `
import netCDF4
with netCDF4.Dataset(to + "/a.nc", "w") as file:
    file.createDimension("y", 129), file.createDimension("x", 129)
    file.createVariable("v", "u2", ("y", "x"))[:] = 1`,
    large: `
import netCDF4
with netCDF4.Dataset(to + "/a.nc", "w") as file:
    for axis, size in (("z", 256), ("y", 1024), ("x", 1024)):
        file.createDimension(axis, size)
    file.createVariable("v", "u2", ("z", "y", "x"), chunksizes=(256, 64, 64))`,
  },
  {
    program: 'hdf5',
    small: H5('a.h5', 'data=np.ones((129, 129), "u2")'),
    large: H5('a.h5', '(256, 1024, 1024), "u2", chunks=(256, 64, 64)'),
  },
  {
    program: 'nexus4d',
    small: H5('a.nxs', 'data=np.ones((2, 33, 33, 33), "u1")'),
    large: H5('a.nxs', '(2, 256, 1024, 1024), "u1", chunks=(1, 256, 64, 64)'),
  },
  {
    program: 'nifti',
    small: NII('2, 129, 129, 1', 'file.write(np.ones((129, 129), "u2"))'),
    large: NII('3, 1024, 1024, 256', 'file.truncate(352 + (1 << 29))'),
  },
];

let runs = 0;

/** Files of a converter in a directory of their own, made once. */
function made({ program }: Converter, kind: string, python: string): string {
  const to = join(dir, `${program}-${kind}`);
  if (existsSync(to)) return to;
  mkdirSync(to);
  runPython(`import os, sys\nimport numpy as np\nto = sys.argv[1]\n${python}\nos._exit(0)`, [to]);
  return to;
}

interface Conditions {
  readonly output?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly memoryBytes?: number;
  readonly stallLimitMs?: number;
  readonly slabBytes?: number;
  /** Whether it is stopped (SIGSTOP) at its first words: it neither works nor ends. */
  readonly stopped?: boolean;
}

/** How a converter ends on the files of a directory. */
async function ending({ program }: Converter, files: string, conditions: Conditions): Promise<unknown> {
  runs += 1;
  const cwd = join(dir, `run-${runs}`);
  const {
    output = join(cwd, 'product'),
    memoryBytes = 0,
    stallLimitMs = 60_000,
    parameters = {},
  } = conditions;
  for (const path of [cwd, join(cwd, 'work'), output]) mkdirSync(path, { recursive: true });
  const inputs = readdirSync(files, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, name: path.slice(files.length + 1) }));
  const limits = { slab_bytes: conditions.slabBytes ?? MIB, threads: 2 };
  const request = join(cwd, 'request.json');
  const journal = join(cwd, 'journal.jsonl');
  writeFileSync(
    request,
    JSON.stringify({ inputs, output, work: join(cwd, 'work'), journal, parameters, limits }),
  );
  const run = runProgram(
    {
      command: process.env['SLUICE_PYTHON'] ?? 'SLUICE_PYTHON is not set: tests start with "npm test"',
      args: [join(PROJECT_ROOT, 'converters', `${program}.py`), request],
      env: { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' },
      cwd,
      timeLimitMs: 60_000,
      stallLimitMs,
      progressLimitMs: 60_000,
      memoryBytes,
      graceMs: 200,
      logFile: join(cwd, 'log'),
    },
    {
      onProgress: () => void (conditions.stopped === true && signalProgramsIn(cwd, 'SIGSTOP')),
      onAlive: () => undefined,
      onLog: () => undefined,
      signal: new AbortController().signal,
    },
  );
  return await run.then(
    () => 'done',
    (error: unknown) => (error instanceof Fault ? `${error.code}` : error),
  );
}

test.each(CONVERTERS)(
  'more memory than allowed is program_memory: $program',
  async (converter) => {
    const files = made(converter, 'large', converter.large);
    expect(await ending(converter, files, { memoryBytes: 420 * MIB, slabBytes: 512 * MIB })).toBe(
      'program_memory',
    );
  },
  60_000,
);

test.each(CONVERTERS)(
  'a converter that hangs is program_stalled: $program',
  async (converter) => {
    const files = made(converter, 'large', converter.large);
    expect(await ending(converter, files, { stallLimitMs: 1_200, stopped: true })).toBe('program_stalled');
  },
  60_000,
);

/** Values that no codec makes smaller: with the coarse level the chunks do not fit. */
const GRAIN =
  'import tifffile\ntifffile.imwrite(to + "/a.tif", np.random.default_rng(1).integers(0, 255, (300, 340), "u1"))';
const FULL = [
  ...CONVERTERS.map(({ program, small }) => ({ program, kind: 'small', small, output: undefined })),
  { program: 'tiff', kind: 'both', small: CONVERTERS[1]?.small ?? '', output: 'both' },
  { program: 'tiff', kind: 'zarr', small: GRAIN, output: 'zarr' },
];

test.each(FULL)(
  'a disk that becomes full is disk_full, and with room the same is done: $program $kind',
  async ({ program, kind, small, output }) => {
    const converter = { program, small, large: '' };
    const files = made(converter, kind, small);
    const disk = join(dir, `${program}-${kind}-disk`);
    const where = { output: disk, parameters: output === undefined ? {} : { output } };
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=120k', 'tmpfs', disk]);
    try {
      expect(await ending(converter, files, where)).toBe('disk_full');
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      expect(await ending(converter, files, where)).toBe('done');
    } finally {
      execFileSync('umount', ['--lazy', disk]);
    }
  },
  60_000,
);
