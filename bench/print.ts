// A report as a table for a person.
import type { Report } from './harness.js';
import type { Spread } from './stats.js';

export function printReport(report: Report): string {
  const { machine, comparisons, figures, notes, versions } = report;
  const { before, after } = machine.load;
  const rows = [
    ...(comparisons.length > 0 ? [['', 'ours', 'peer', 'ratio', 'runs']] : []),
    ...comparisons.map(({ what, peer, unit, ours, theirs, ratio, runs }) => [
      `${what} (beside ${peer})`,
      `${words(ours)} ${unit}`,
      `${words(theirs)} ${unit}`,
      words(ratio),
      String(runs),
    ]),
    ...figures.map(({ what, unit, value, runs, limit }) => [
      what,
      `${words(value)} ${unit}`,
      limit === undefined ? '' : `limit ${number(limit)} ${unit}`,
      '',
      String(runs),
    ]),
  ];
  return [
    `${report.bench}: median (least to most)`,
    ...aligned(rows),
    '',
    ...notes.map((note) => `- ${note}`),
    `- ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Node ${machine.node}; load ${before} before, ${after} after`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    '',
  ].join('\n');
}

const words = ({ median, min, max }: Spread): string =>
  min === max ? number(median) : `${number(median)} (${number(min)} to ${number(max)})`;

function number(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function aligned(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
