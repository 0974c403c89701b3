// The pages say what the code says: statuses, failure codes, settings, scripts, links.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { registerConfig } from '../../src/cli/commands/config.js';
import { registerDatasets } from '../../src/cli/commands/datasets.js';
import { registerDoctor } from '../../src/cli/commands/doctor.js';
import { registerIngest } from '../../src/cli/commands/ingest.js';
import { registerJobs } from '../../src/cli/commands/jobs.js';
import { registerLimits } from '../../src/cli/commands/limits.js';
import { registerSensors } from '../../src/cli/commands/sensors.js';
import { registerUp } from '../../src/cli/commands/up.js';
import { registerVerify } from '../../src/cli/commands/verify.js';
import { PROJECT_ROOT } from '../../src/config/env.js';
import { settingsSchema } from '../../src/config/settings.js';
import { formatOf } from '../../src/contracts/formats/registry.js';
import { DATASET_TRANSITIONS } from '../../src/domain/dataset.js';
import { FAILURES } from '../../src/domain/failure.js';
import { JOB_TRANSITIONS } from '../../src/domain/job.js';
import { SENSORS } from '../../src/domain/sensor.js';
import { STAGE_WEIGHTS } from '../../src/domain/stage.js';
import { UPLOAD_TRANSITIONS } from '../../src/domain/upload.js';
import { knownOf, renewRow, rowsOfPage } from '../support/formats-table.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const PAGES = pagesBelow('.');
function pagesBelow(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.name.startsWith('.') || ['node_modules', 'dist', 'coverage'].includes(entry.name)) return [];
    if (entry.isDirectory()) return pagesBelow(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

test('the tests look at the project that runs', () => {
  expect(PROJECT_ROOT).toBe(ROOT);
  expect(PAGES).toContain('README.md');
});

/** The cells of the rows below a heading. */
function tableBelow(page: string, heading: string): string[][] {
  const [, part = ''] = read(page).split(`\n${heading}\n`);
  const [section = ''] = part.split(/\n#+ /);
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

const words = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

describe('vocabulary', () => {
  test.each([
    ['## Statuses of a dataset', DATASET_TRANSITIONS],
    ['## Statuses of an upload', UPLOAD_TRANSITIONS],
    ['## Statuses of a job', JOB_TRANSITIONS],
  ])('%s is the table of the code', (heading, transitions) => {
    const rows = tableBelow('docs/vocabulary.md', heading);
    const told = rows.map(([status, , next]) => [words(status)[0], words(next)]);
    expect(Object.fromEntries(told)).toEqual(transitions);
    for (const [status, meaning] of rows) expect([status, meaning?.length]).not.toEqual([status, 0]);
  });

  test('the stages stand in their order with their shares', () => {
    const rows = tableBelow('docs/vocabulary.md', '## Stages');
    expect(rows.map(([stage, , share]) => [words(stage)[0], Number(share)])).toEqual(
      Object.entries(STAGE_WEIGHTS),
    );
  });

  test('every blame is explained', () => {
    const told = tableBelow('docs/vocabulary.md', '## Blame of a failure').map(([blame]) => words(blame)[0]);
    expect(new Set(told)).toEqual(new Set(Object.values(FAILURES).map(({ blame }) => blame)));
  });
});

test('failures.md is the table of the code (SLUICE_TEST_WRITE_DOCS=1 writes it)', () => {
  const rows = Object.entries(FAILURES).map(
    ([code, { blame, retryable, http, say, remedy }]) =>
      `| \`${code}\` | ${blame} | ${http} | ${retryable ? 'yes' : 'no'} | ${say} | ${remedy} |`,
  );
  const [before = ''] = read('docs/failures.md').split('\n| `');
  const page = `${before}\n${rows.join('\n')}\n`;
  if (process.env.SLUICE_TEST_WRITE_DOCS === '1') writeFileSync(join(ROOT, 'docs/failures.md'), page);
  expect(read('docs/failures.md')).toBe(page);
});

test('settings.md lists every variable that is read, and no other', () => {
  const sources = readdirSync(join(ROOT, 'src/config')).map((name) => read(join('src/config', name)));
  const named = sources.flatMap((text) => text.match(/\bSLUICE_[A-Z_]+\b/g) ?? []);
  const known = new Set([...Object.keys(settingsSchema(ROOT).shape), ...named]);
  const told = tableBelow('docs/settings.md', '## Every variable').map(([name]) => words(name)[0]);
  expect(told.filter((name, at) => told.indexOf(name) !== at)).toEqual([]);
  expect(new Set(told)).toEqual(known);
  const mentioned = read('docs/settings.md').match(/\bSLUICE_[A-Z_]+\b/g) ?? [];
  expect(mentioned.filter((name) => !known.has(name))).toEqual([]);
});

test('every npm script that a page names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = PAGES.flatMap((page) => [...read(page).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)]);
  const names = new Set(named.map(([, run, own]) => run ?? own));
  expect(names).toContain('test');
  expect([...names].filter((name) => name === undefined || scripts[name] === undefined)).toEqual([]);
});

test('every command of sluice that a page names exists', () => {
  const program = new Command();
  for (const register of [
    registerUp,
    registerIngest,
    registerDatasets,
    registerJobs,
    registerLimits,
    registerVerify,
    registerSensors,
    registerDoctor,
    registerConfig,
  ]) {
    register(program);
  }
  const inMain = [...read('src/cli/main.ts').matchAll(/\.command\('(\w+)'\)/g)].map(([, name = '']) => name);
  const known = new Set([...inMain, ...program.commands.flatMap((one) => namesOf(one))]);
  const groups = ['datasets', 'jobs', 'config'];
  const named = PAGES.flatMap((page) =>
    [...read(page).matchAll(/(?:^|`|npx |\w=\S+ )sluice ([a-z]+)(?: ([a-z]+))?/gm)].flatMap(
      ([, first = '', second = '']) => [
        groups.includes(first) && second !== '' ? `${first} ${second}` : first,
      ],
    ),
  );
  expect(named).toContain('ingest');
  expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
});

const namesOf = (command: Command): string[] => [
  command.name(),
  ...command.commands.map((below) => `${command.name()} ${below.name()}`),
];

test('every relative link leads somewhere', () => {
  const dead = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^(https?:|mailto:|#)/.test(target) && !leads(page, target))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});

function leads(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = join(ROOT, dirname(page), path);
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(readFileSync(file, 'utf8')).includes(anchor);
}

const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );

test('every file and directory of the source that a page names exists', () => {
  const gone = PAGES.flatMap((page) =>
    [...read(page).matchAll(/`((?:src|test|converters|scripts|docker|examples|bench|docs)\/[\w./-]+)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !path.includes('<') && !existsSync(join(ROOT, path)))
      .map((path) => `${page}: ${path}`),
  );
  expect(gone).toEqual([]);
});

test('only the settings read process.env', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const readers = sources
    .filter((path) => path.endsWith('.ts') && /process\.env\b/.test(codeOf(join('src', path))))
    .map((path) => join('src', path));
  expect(readers).toEqual(['src/config/env.ts']);
});

/** Without comments. */
const codeOf = (path: string): string => read(path).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

test.each(SENSORS)('%s has a format, a program and a section of its own', (sensor) => {
  const { sensor: own, program } = formatOf(sensor, true);
  expect(own).toBe(sensor);
  if (program !== undefined) expect(existsSync(join(ROOT, 'converters', `${program}.py`))).toBe(true);
  expect(read('docs/formats.md')).toMatch(new RegExp(`^## .*\\b${sensor}\\b`, 'm'));
});

test('formats.md has a row for each sensor, of what registry and bench say (SLUICE_TEST_WRITE_DOCS=1 writes it)', () => {
  for (const sensor of SENSORS) renewRow(sensor, knownOf(sensor));
  const rows = rowsOfPage();
  expect([...rows.keys()]).toEqual(SENSORS);
  for (const sensor of SENSORS) expect(rows.get(sensor)).toMatchObject(knownOf(sensor));
  for (const { proof, preview } of rows.values()) expect([proof, preview]).not.toContain('');
});
