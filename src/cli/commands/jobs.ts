// sluice jobs: uploads and verifications as units of work: list, show, steer, and read their logs.
import type { Command } from 'commander';
import type { JobResource } from '../../contracts/http.js';
import type { Verification } from '../../contracts/http-verify.js';
import { UPLOAD_STATUSES } from '../../domain/upload.js';
import type { Io } from '../io.js';
import { choice, limit, tailBytes } from '../option-values.js';
import { leftOutWords } from '../outcome.js';
import type { Server } from '../server.js';
import { printAnswer, resolveDataset, withServer } from '../with-server.js';
import { ageWords, bytesWords, pairs, shortId, spanWords, table } from '../words.js';
import { foundLines } from './verify.js';

interface ListOptions {
  readonly status?: string;
  readonly dataset?: string;
  readonly owner?: string;
  readonly limit: number;
  readonly json?: boolean;
}

const VERBS = {
  pause: 'stop at the next safe point',
  resume: 'go on',
  cancel: 'give it up',
  retry: 'try a failed job again, from where it failed',
} as const;

export function registerJobs(program: Command): void {
  const jobs = program.command('jobs').description('list, show and steer jobs, and read their logs');
  jobs
    .command('ls')
    .description('list jobs, newest first')
    .option('--status <status>', 'only these', choice(UPLOAD_STATUSES))
    .option('--dataset <uuid>', 'only those of this dataset')
    .option('--owner <email>', 'only those of this owner')
    .option('--limit <count>', 'how many at most', limit, 50)
    .option('--json', 'one JSON object')
    .action((options: ListOptions) => withServer((server, io) => list(server, io, options)));
  jobs
    .command('show <job>')
    .description('everything about a job')
    .option('--json', 'one JSON object')
    .action((id: string, { json }: { json?: boolean }) =>
      withServer(async (server, io) => {
        const job = await server.call((client) => client.jobs.get(id));
        if (json === true) io.out(JSON.stringify(job));
        else for (const line of 'upload_status' in job ? linesOf(job) : verificationLines(job)) io.out(line);
      }),
    );
  jobs
    .command('logs <job>')
    .description('what the programs of a job wrote')
    .option('--tail <bytes>', 'only the last bytes', tailBytes)
    .action((id: string, { tail }: { tail?: number }) =>
      withServer(async (server, io) => {
        const text = await server.call((client) => client.jobs.logs(id, tail));
        if (text === '') io.err('sluice: no program has written anything for this job');
        else io.out(text.replace(/\n$/, ''));
      }),
    );
  for (const verb of Object.keys(VERBS) as (keyof typeof VERBS)[]) {
    jobs
      .command(`${verb} <job>`)
      .description(VERBS[verb])
      .option('--json', 'the answer as a JSON object')
      .action((id: string, { json }: { json?: boolean }) =>
        withServer(async (server, io) => {
          const answer = await server.call((client) => client.jobs.command(id, verb));
          printAnswer(io, verb, id, answer, json === true);
        }),
      );
  }
}

async function list(server: Server, io: Io, options: ListOptions): Promise<void> {
  const { owner: user_email, status: upload_status, dataset: text, limit: most, json } = options;
  const dataset = text === undefined ? undefined : await resolveDataset(server, text);
  const query = { user_email, upload_status, dataset, limit: most };
  const found = await server.call((client) => client.jobs.list(query));
  if (json === true) return io.out(JSON.stringify(found));
  const now = Date.now();
  const rows = found.jobs.map((job) => rowOf(job, now));
  for (const line of table(['JOB', 'DATASET', 'STATUS', 'DONE', 'SOURCE', 'AGE'], rows)) io.out(line);
  if (found.next !== null) io.err('sluice: there are more; see --limit and the filters');
}

function rowOf(job: JobResource, now: number): string[] {
  const { job_id, dataset_uuid, upload_status, progress_percentage: percent, source, created_at } = job;
  const done = `${Math.floor(percent)}%`;
  return [job_id, shortId(dataset_uuid), upload_status, done, source, ageWords(created_at, now)];
}

function linesOf(job: JobResource): string[] {
  const {
    failure,
    bytes_uploaded: sent,
    bytes_total: total,
    execution_time: seconds,
    eta_seconds: eta,
  } = job;
  return pairs([
    ['job', job.job_id],
    ['dataset', job.dataset_uuid],
    ['name', job.dataset_info?.name],
    ['owner', job.user_email],
    ['status', `${job.upload_status}, ${Math.floor(job.progress_percentage)}%`],
    ['source', job.source],
    ['bytes', total > 0 ? `${bytesWords(sent)} of ${bytesWords(total)}` : bytesWords(sent)],
    ['files', job.file_count],
    ['left out', job.left_out === null ? null : leftOutWords(job.left_out)],
    ['stage', job.stage],
    ['left', eta === null ? null : spanWords(eta)],
    ['created', job.created_at],
    ['ended', job.completed_at],
    ['took', seconds === null ? null : spanWords(seconds)],
    ['failure', failure === null ? null : `${failure.say} (${failure.code})`],
    ['do', failure?.remedy],
    ['open now', job.open.join(', ')],
  ]);
}

function verificationLines(job: Verification): string[] {
  const { failure } = job;
  return [
    ...pairs([
      ['job', job.job_id],
      ['dataset', job.dataset_uuid],
      ['asked by', job.by],
      ['status', `${job.status}, ${Math.floor(job.progress_percentage)}%`],
      ['file', job.current_file],
      ['created', job.created_at],
      ['ended', job.completed_at],
      ['failure', failure === null ? null : `${failure.say} (${failure.code})`],
      ['do', failure?.remedy],
    ]),
    ...foundLines(job),
  ];
}
