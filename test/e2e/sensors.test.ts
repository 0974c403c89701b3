// Data of every sensor, of known values, from the command line to a published product that reads back equal.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { SENSORS } from '../../src/domain/sensor.js';
import { startCli } from '../support/cli.js';
import { runFile, sha256sumCheck } from '../support/data.js';
import { renewRow, rowsOfPage } from '../support/formats-table.js';
import { expectFound, flipAByte, type Verified } from '../support/harm.js';
import { makeSample, recordOf, SAMPLES, type Sample } from '../support/samples.js';
import { sendDirectory } from '../support/send.js';
import { stackHere } from '../support/stack-here.js';
import { type Axis, TOLD, type Told } from '../support/told.js';

const { stack, directory, sluice } = stackHere();

interface Shown {
  readonly forms: Readonly<Record<string, { readonly values: number; readonly different: string[] }>>;
  /** Correlation with the slice that a picture shows. */
  readonly pictures: Readonly<Record<string, number>>;
}

const LEAST_CORRELATION = 0.95;

test('there is a sample of every sensor', () => {
  expect(SAMPLES.map(({ sensor }) => sensor)).toEqual(SENSORS);
});

test.each(SAMPLES)(
  '$sensor: ingested, equal for stock readers, verified again, pictured; its row says so; a flipped byte is found',
  async (sample) => {
    const { sensor, upwards = false } = sample;
    const record = recordOf(stack().home, sample);
    const { product, uuid } = await ingest(sample, record);
    sha256sumCheck(product);
    expectTold(product, TOLD[sensor]);
    const [verified, shown] = await Promise.all([
      sluice('verify', uuid),
      runFile<Shown>('test/support/shown.py', [product, record, upwards ? '1' : '0']),
    ]);
    expect([verified.code, verified.last]).toMatchObject([0, { result: { outcome: 'whole', damaged: 0 } }]);
    expect(Object.keys(shown.forms)).toEqual(['idx', 'idx by its files', 'zarr']);
    for (const { values, different } of Object.values(shown.forms)) {
      expect([different, values > 1_000]).toEqual([[], true]);
    }
    const correlations = Object.values(shown.pictures);
    expect([1, 3]).toContain(correlations.length);
    expect(Math.min(...correlations)).toBeGreaterThanOrEqual(LEAST_CORRELATION);
    const cells = { proof: `${proofOf(product)}; ${plainOf(shown)}`, preview: previewOf(shown) };
    renewRow(sensor, cells);
    expect(rowsOfPage().get(sensor)).toMatchObject(cells);
    const harmed = flipAByte(product, ['idx', 'zarr']);
    const damaged = await sluice('verify', uuid);
    expect(damaged.code).toBe(1);
    expectFound(damaged.last['result'] as Verified, harmed);
  },
  60_000,
);

async function ingest(sample: Sample, record: string): Promise<{ uuid: string; product: string }> {
  const { sensor, spelled = sensor, parameters = {} } = sample;
  const to = directory(sensor);
  makeSample(sample, to, record);
  const given = Object.entries(parameters).flatMap(([key, value]) => ['--param', `${key}=${value}`]);
  const { code, last } = await sluice('ingest', to, '--sensor', spelled, '--output', 'both', ...given);
  expect([code, last]).toMatchObject([0, { dataset: expect.any(String), status: 'done' }]);
  const uuid = String(last['dataset']);
  return { uuid, product: join(stack().out, uuid) };
}

const readJson = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;

interface Metadata {
  readonly axes: string[];
  readonly dimensions: readonly Axis[] | Readonly<Record<string, NamedAxis>>;
  readonly affine?: unknown;
}

/** NetCDF has axes by their names. */
interface NamedAxis extends Omit<Axis, 'name' | 'units'> {
  readonly attributes?: { readonly units?: string };
}

const isList = (dimensions: Metadata['dimensions']): dimensions is readonly Axis[] =>
  Array.isArray(dimensions);

/** What the product tells beside the voxels: in metadata.json, and the same in the attributes of its Zarr form. */
function expectTold(product: string, told: Told): void {
  const metadata = readJson<Metadata>(product, 'metadata.json');
  expect(metadata).toMatchObject(told.metadata);
  const { dimensions } = metadata;
  const axes = isList(dimensions)
    ? dimensions
    : Object.entries(dimensions).map(([name, axis]) => ({ ...axis, name, units: axis.attributes?.units }));
  expect(axes).toMatchObject(told.dimensions);
  expectZarrTold(join(product, 'data.zarr'), told.zarr, metadata);
}

interface Group {
  readonly attributes: {
    readonly ome?: {
      readonly multiscales: {
        readonly axes: { name: string; unit?: string }[];
        readonly datasets: { coordinateTransformations: object[] }[];
      }[];
    };
    readonly sluice: {
      fields?: Record<string, string>;
      values?: object;
      dimensions?: unknown;
      affine?: unknown;
      source?: Metadata;
    };
  };
}

function expectZarrTold(folder: string, told: Told['zarr'], metadata: Metadata): void {
  const root = readJson<Group>(folder, 'zarr.json').attributes;
  const image = join(folder, Object.values(root.sluice.fields ?? { all: '' })[0] ?? '');
  const { ome, sluice: ours } = readJson<Group>(image, 'zarr.json').attributes;
  const [scales] = ome?.multiscales ?? [];
  expect(scales?.axes.map(({ name, unit }) => (unit === undefined ? name : `${name} ${unit}`))).toEqual(
    told.axes,
  );
  const { scale, translation } = told;
  expect(scales?.datasets[0]?.coordinateTransformations).toEqual([
    { type: 'scale', scale },
    ...(translation === undefined ? [] : [{ type: 'translation', translation }]),
  ]);
  expect([ours.values, ours.dimensions]).toEqual([told.values ?? {}, metadata.dimensions]);
  expect(ours.affine).toEqual(metadata.affine);
  expect(ours.source?.axes).toEqual(metadata.axes);
  expect(readJson<Group>(image, '0', 'zarr.json').attributes).toEqual(told.values ?? {});
}

interface Proven {
  readonly checked: number;
  readonly blocks: number;
}

const READERS: Readonly<Record<string, string>> = { idx: 'OpenVisus', zarr: 'zarr-python' };

/** What stage `validate` compared, in the words of the page: all of these small data, in every form. */
function proofOf(product: string): string {
  const { details } = readJson<{ details: Proven & { outputs?: (Proven & { kind: string })[] } }>(
    product,
    'sluice/validation.json',
  );
  expect(details).toMatchObject({ lossless: true, max_error: 0 });
  const outputs = details.outputs ?? [{ ...details, kind: 'idx' }];
  for (const { checked, blocks } of outputs) expect([checked, blocks > 0]).toEqual([blocks, true]);
  return `every block, by ${outputs.map(({ kind }) => READERS[kind]).join(' and ')}`;
}

/** What the reader found that knows nothing but the files: the converters and OpenVisus are not asked. */
function plainOf({ forms }: Shown): string {
  return `all ${forms['idx by its files']?.values} values, by numpy alone`;
}

function previewOf({ pictures }: Shown): string {
  const axes: Readonly<Record<string, string>> = { 'preview-y.png': 'y', 'preview-x.png': 'x' };
  const flat = Object.keys(pictures).length === 1;
  return Object.entries(pictures)
    .map(([name, value]) => `${flat ? '' : `${axes[name] ?? 'z'} `}${value.toFixed(2)}`)
    .join(', ');
}

test('OTHER of no known kind is published as it is, whatever is wished', async () => {
  const to = directory('unknown');
  writeFileSync(join(to, 'a.dat'), 'II*\0');
  writeFileSync(join(to, 'b.dat'), 'notes');
  const parameters = JSON.stringify({ recognise: true });
  const sent = await sendDirectory(stack().apiUrl, to, { sensor: 'OTHER', parameters });
  await stack().settled(sent.uuid);
  expect(readFileSync(join(stack().out, sent.uuid, 'b.dat'), 'utf8')).toBe('notes');
}, 60_000);

test('a parameter that a sensor does not have is refused before anything is sent', async () => {
  const to = directory('nothing');
  writeFileSync(join(to, 'a.h5'), 'x');
  for (const [given, named] of [
    [{ datset: '/a' }, 'datset'],
    [{ compression: 'zfp' }, 'compression'], // it would lose something: there is nothing lossy to ask for
  ]) {
    const sent = await sendDirectory(stack().apiUrl, to, {
      sensor: 'HDF5',
      parameters: JSON.stringify(given),
    });
    expect([sent.status, sent.body['code']]).toEqual([422, 'invalid_field']);
    expect(JSON.stringify(sent.body)).toContain(named);
  }
});

test('API and command line tell every sensor with what it refuses and the schema of its parameters', async () => {
  const answer = await fetch(`${stack().apiUrl}/api/v1/sensors`);
  expect(answer.status).toBe(200);
  const told = (await answer.json()) as { sensors: { sensor: string }[] };
  expect(told.sensors.map(({ sensor }) => sensor)).toEqual(SENSORS);
  expect(told.sensors.find(({ sensor }) => sensor === 'MAPIR')).toMatchObject({
    refuses: expect.arrayContaining([
      { code: 'no_target', say: expect.any(String), remedy: expect.any(String) },
    ]),
    parameters: {
      additionalProperties: false,
      properties: { nir: { type: 'integer', minimum: 1, maximum: 3, description: expect.any(String) } },
    },
  });
  const { code, last } = await sluice('sensors');
  expect([code, last]).toEqual([0, told]);
  const { out } = await startCli(['sensors'], { SLUICE_HOME: stack().home }).ended;
  expect(out).toMatch(/^MAPIR$[\s\S]*^ {2}refuses {2}no_target: There is no photo/m);
});
