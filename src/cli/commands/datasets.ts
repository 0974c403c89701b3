// sluice datasets: what is there, how far it is, and the commands on one dataset.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { CommandAnswer, DatasetDetail, DatasetResource, History } from '../../contracts/http.js';
import { DATASET_STATUSES } from '../../domain/dataset.js';
import { SENSORS } from '../../domain/sensor.js';
import { TARGETS_STATES } from '../../domain/target.js';
import { EXIT } from '../exit.js';
import { follow } from '../follow.js';
import type { Io } from '../io.js';
import { choice, limit } from '../option-values.js';
import { endOf, printEnd } from '../outcome.js';
import { phaseOf } from '../phase.js';
import { progressView } from '../progress-view.js';
import type { Server } from '../server.js';
import { printAnswer, resolveDataset, withServer } from '../with-server.js';
import { ageWords, bytesWords, pairs, shortId, spanWords, table } from '../words.js';
import { registerTargets, targetLines } from './dataset-targets.js';

interface ListOptions {
  readonly status?: string;
  readonly sensor?: string;
  readonly targets?: string;
  readonly owner?: string;
  readonly name?: string;
  readonly limit: number;
  readonly json?: boolean;
}

const VERBS = {
  retry: 'try a failed dataset again, from where it failed; a published one at the targets that lack it',
  convert: 'convert it again',
  pause: 'stop at the next safe point',
  resume: 'go on',
  cancel: 'give it up',
} as const;

export function registerDatasets(program: Command): void {
  const datasets = program.command('datasets').description('list, show, watch and steer datasets');
  datasets
    .command('ls')
    .description('list datasets, newest first')
    .option('--status <status>', 'only these', choice(DATASET_STATUSES))
    .option('--sensor <sensor>', 'only these', choice(SENSORS))
    .option('--targets <state>', 'only these, by how their publish targets stand', choice(TARGETS_STATES))
    .option('--owner <email>', 'only those of this owner')
    .option('--name <part>', 'only names that hold this')
    .option('--limit <count>', 'how many at most', limit, 50)
    .option('--json', 'one JSON object')
    .action((options: ListOptions) => withServer((server, io) => list(server, io, options)));
  datasets
    .command('show <uuid>')
    .description('everything about a dataset (the beginning of its uuid is enough)')
    .option('--json', 'one JSON object')
    .action((uuid: string, options: { json?: boolean }) =>
      withServer((server, io) => show(server, io, uuid, options.json === true)),
    );
  datasets
    .command('watch <uuid>')
    .description('follow a dataset until nothing runs for it')
    .option('--json', 'JSON lines; the last one is the result')
    .action((uuid: string, options: { json?: boolean }) =>
      withServer((server, io) => watch(server, io, uuid, options.json === true)),
    );
  for (const verb of Object.keys(VERBS) as (keyof typeof VERBS)[]) {
    datasets
      .command(`${verb} <uuid>`)
      .description(VERBS[verb])
      .option('--json', 'the answer as a JSON object')
      .action((text: string, options: { json?: boolean }) =>
        withServer(async (server, io) => {
          const uuid = await resolveDataset(server, text);
          const answer = await server.call((client) => client.datasets.command(uuid, verb));
          await untilShown(server, uuid, answer);
          printAnswer(io, verb, uuid, answer, options.json === true);
        }),
      );
  }
  registerTargets(datasets, untilShown);
}

const SHOWN_MS = 3_000;

/** A new run shows in the row a moment later: whoever watches next should not see the old failure. */
async function untilShown(server: Server, uuid: string, { run_id, done }: CommandAnswer): Promise<void> {
  if (run_id === undefined || !done) return;
  for (const end = Date.now() + SHOWN_MS; Date.now() < end; await sleep(100)) {
    const dataset = await server.call((client) => client.datasets.get(uuid));
    if (dataset.run_id === run_id) return;
  }
}

async function list(server: Server, io: Io, options: ListOptions): Promise<void> {
  const { owner: user_email, json, ...filter } = options;
  const found = await server.call((client) => client.datasets.list({ ...filter, user_email }));
  if (json === true) return io.out(JSON.stringify(found));
  const now = Date.now();
  const rows = found.datasets.map((dataset) => rowOf(dataset, now));
  for (const line of table(['UUID', 'NAME', 'SENSOR', 'STATUS', 'DONE', 'AGE'], rows)) io.out(line);
  if (found.next !== null) io.err('sluice: there are more; see --limit and the filters');
}

function rowOf(dataset: DatasetResource, now: number): string[] {
  const { uuid, name, sensor, status, paused, progress_percentage: percent, created_at } = dataset;
  const state = paused === null ? status : `${status} (paused)`;
  return [shortId(uuid), name, sensor, state, `${Math.floor(percent)}%`, ageWords(created_at, now)];
}

async function show(server: Server, io: Io, text: string, json: boolean): Promise<void> {
  const uuid = await resolveDataset(server, text);
  const dataset = await server.call((client) => client.datasets.get(uuid));
  const { history } = await server.call((client) => client.datasets.history(uuid));
  if (json) return io.out(JSON.stringify({ ...dataset, history }));
  for (const line of [...aboutLines(dataset), ...productLines(dataset), ...publishedLines(dataset)])
    io.out(line);
  for (const line of failureLines(dataset)) io.out(line);
  for (const line of uploadLines(dataset)) io.out(line);
  for (const line of historyLines(history)) io.out(line);
}

function aboutLines(dataset: DatasetDetail): string[] {
  const { uuid, name, sensor, user_email, status, paused, progress_percentage: percent } = dataset;
  const { file_count: files, total_size_bytes: bytes, eta_seconds: eta, open, links } = dataset;
  const left = eta === null ? '' : `, ${spanWords(eta)} left`;
  return pairs([
    ['dataset', uuid],
    ['name', name],
    ['owner', user_email],
    ['sensor', dataset.convert ? sensor : `${sensor} (not converted)`],
    ['status', `${status}, ${Math.floor(percent)}%${left}`],
    ['paused', paused === null ? null : `by ${paused.by} at ${paused.at}`],
    ['received', files > 0 ? `${bytesWords(bytes)} in ${files} file${files === 1 ? '' : 's'}` : null],
    ['folder', dataset.folder],
    ['team', dataset.team_uuid],
    ['tags', dataset.tags],
    ['created', dataset.created_at],
    ['completed', dataset.completed_at],
    ['open now', open.join(', ')],
    ['story', links.temporal],
  ]);
}

function productLines({ product }: DatasetDetail): string[] {
  if (product === null) return [];
  const lines = pairs([
    ['directory', product.directory],
    ['entry', product.entry],
    ['manifest', product.manifest],
    ['preview', product.preview],
    ['strip', product.strip],
    ['histogram', product.histogram],
    ['size', `${bytesWords(product.bytes)} in ${product.files} file${product.files === 1 ? '' : 's'}`],
    [
      'checked',
      product.blocks > 0 ? `${product.checked} of ${product.blocks} blocks equal their source` : null,
    ],
  ]);
  return ['', 'Product', ...indent(lines)];
}

function publishedLines(dataset: DatasetDetail): string[] {
  const lines = dataset.published.length === 0 ? [] : targetLines(dataset);
  return lines.length === 0 ? [] : ['', 'Targets', ...indent(lines)];
}

function failureLines({ failure, uuid, open, job_id: job }: DatasetDetail): string[] {
  if (failure === null) return [];
  const lines = pairs([
    ['what', `${failure.say} (${failure.code})`],
    ['do', failure.remedy],
    ['again', open.includes('retry') ? `sluice datasets retry ${shortId(uuid)}` : null],
    ['log', job === null ? null : `sluice jobs logs ${job}`],
  ]);
  return ['', 'Failure', ...indent(lines)];
}

function uploadLines({ uploads }: DatasetDetail): string[] {
  if (uploads.length === 0) return [];
  const rows = uploads.map(({ job_id, upload_status, source }) => [job_id, upload_status, source]);
  return ['', 'Uploads', ...indent(table(['JOB', 'STATUS', 'SOURCE'], rows))];
}

function historyLines(history: History['history']): string[] {
  const own = history.filter(({ entity }) => entity.startsWith('dataset:'));
  if (own.length === 0) return [];
  const rows = own.map(({ at, to, actor, reason }) => [at, to, actor, reason ?? '']);
  return ['', 'History', ...indent(table(['AT', 'STATUS', 'BY', 'WHY'], rows))];
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

async function watch(server: Server, io: Io, text: string, json: boolean): Promise<void> {
  const uuid = await resolveDataset(server, text);
  const leave = new AbortController();
  process.once('SIGINT', () => leave.abort());
  const view = progressView(io, json, () => uuid);
  try {
    const dataset = await follow(server, uuid, {
      signal: leave.signal,
      say: (words) => view.note(words),
      show: (now) => view.update(phaseOf(now)),
    });
    view.end();
    const end = endOf(dataset, dataset.job_id);
    printEnd(io, end, json, dataset.links.temporal);
    process.exitCode = end.exitCode;
  } catch (error) {
    view.end();
    if (!leave.signal.aborted) throw error;
    io.err('sluice: it goes on without you watching');
    process.exitCode = EXIT.interrupted;
  }
}
