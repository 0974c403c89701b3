// The table of docs/formats.md: what the registry says of each sensor, what its test showed, what the bench measured.
import { readFileSync, writeFileSync } from 'node:fs';
import { describeFormats } from '../../src/contracts/formats/registry.js';
import { SENSORS, type Sensor } from '../../src/domain/sensor.js';

const PAGE = 'docs/formats.md';
const HEADING = '\n## At a glance\n';
const COLUMNS = ['accepts', 'product', 'proof', 'preview', 'ratio'] as const;

/** One row, by column. */
export type Cells = Readonly<Record<(typeof COLUMNS)[number], string>>;

// Comparisons of bench/results/convert.json, by the words they begin with.
const MEASURED: Readonly<Partial<Record<Sensor, RegExp>>> = {
  TIFF: /^TIFF (?!RGB)|^\d+ images/,
  NETCDF: /^NetCDF/,
  HDF5: /^HDF5/,
  '4D_NEXUS': /^4D_NEXUS/,
  'TIFF RGB': /^TIFF RGB/,
  RGB: /^RGB/,
  MAPIR: /^MAPIR/,
  NIFTI: /^NIfTI/,
};

// What takes a dataset as it is, or hands it to another format.
const HANDED_OVER: Readonly<Partial<Record<Sensor, string>>> = {
  IDX: 'nothing is converted',
  OTHER: 'that of the recognised format',
};

/** What a row says that no test has to run for. */
export function knownOf(sensor: Sensor): Pick<Cells, 'accepts' | 'product' | 'ratio'> {
  const { accepts = '', product = '' } = describeFormats().sensors.find((one) => one.sensor === sensor) ?? {};
  return { accepts, product, ratio: ratioOf(sensor) };
}

interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly ratio: { readonly median: number };
}

function ratioOf(sensor: Sensor): string {
  const handed = HANDED_OVER[sensor];
  if (handed !== undefined) return handed;
  const { comparisons } = JSON.parse(readFileSync('bench/results/convert.json', 'utf8')) as {
    comparisons: Comparison[];
  };
  const own = comparisons.filter(
    ({ what, unit }) =>
      unit === 's' && !/with proof|started by itself/.test(what) && MEASURED[sensor]?.test(what),
  );
  return own.map(({ what, ratio }) => `${ratio.median.toFixed(1)} (${what})`).join(', ') || 'not measured';
}

/** The rows of the page, in its order. */
export function rowsOfPage(): Map<string, Cells> {
  const [, table = ''] = readFileSync(PAGE, 'utf8').split(HEADING);
  const rows = (table.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((row) => {
      const [sensor = '', ...cells] = row
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim());
      const named = COLUMNS.map((column, at) => [column, cells[at] ?? ''] as const);
      return [sensor.replaceAll('`', ''), Object.fromEntries(named) as Cells];
    }),
  );
}

/** Writes cells into the row of a sensor where SLUICE_TEST_WRITE_DOCS=1 asks for it; a row stays in its place. */
export function renewRow(sensor: Sensor, cells: Partial<Cells>): void {
  if (process.env['SLUICE_TEST_WRITE_DOCS'] !== '1') return;
  const rows = rowsOfPage();
  const empty: Cells = { accepts: '', product: '', proof: '', preview: '', ratio: '' };
  rows.set(sensor, { ...empty, ...rows.get(sensor), ...cells });
  const lines = SENSORS.flatMap((name) => {
    const row = rows.get(name);
    return row === undefined ? [] : [`| \`${name}\` | ${COLUMNS.map((column) => row[column]).join(' | ')} |`];
  });
  const [before = '', after = ''] = readFileSync(PAGE, 'utf8').split(HEADING);
  const [section = '', ...others] = after.split('\n## ');
  const words = section.split('\n').filter((line) => !line.startsWith('| `'));
  const head = words.findIndex((line) => line.startsWith('|---'));
  words.splice(head + 1, 0, ...lines);
  writeFileSync(PAGE, [`${before}${HEADING}${words.join('\n')}`, ...others].join('\n## '));
}
