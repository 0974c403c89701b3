// Bench reaction-upload: from the last byte of a small upload to the start of the stage after fetch, on a whole Sluice.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { datasetWorkflowId, uploadWorkflowId } from '../src/domain/ids.js';
import { type BenchOptions, type Findings, packageVersions } from './harness.js';
import { sendForm } from './send.js';
import { writeSmallFiles } from './small-files.js';
import { type Stack, withStack } from './stack.js';
import { type Figure, figure } from './stats.js';

const RUNS = 15;
const LIMIT_MS = 150;

export async function reactionUpload({ runs = RUNS, say }: BenchOptions): Promise<Findings> {
  return await withStack(say, async (stack) => {
    await writeSmallFiles(stack, say);
    const figures: Figure[] = [];
    for (const kind of KINDS) {
      figures.push(...(await measure(stack, kind, runs)));
      say(`${kind.words}: done`);
    }
    return {
      comparisons: [],
      figures,
      notes: [
        "From the moment the client's system took the last byte of the form to the time at which Temporal's history says that the stage after fetch started; one upload at a time, the same clock.",
        'In between: rows in MongoDB, two workflows started, the digest of the file, the receipt of fetch, the report to the dataset.',
      ],
      versions: { ...stack.versions, ...packageVersions('@temporalio/worker', 'mongodb', 'hono') },
    };
  });
}

interface Kind {
  readonly words: string;
  readonly file: string;
  /** The activity of the stage after fetch. */
  readonly activity: string;
}

const KINDS: readonly Kind[] = [
  { words: 'one TIFF to the start of convert', file: 'slice.tif', activity: 'convertDataset' },
  { words: 'a zip to the start of extract', file: 'slices.zip', activity: 'extractArchives' },
];

/** The steps on the way, each by the event that ends it. */
const STEPS = [
  'the API starts the workflow',
  'the dataset starts its upload',
  'fetch starts',
  'fetch ends',
  'the dataset hears of it',
  'the next stage starts',
] as const;

async function measure(stack: Stack, kind: Kind, runs: number): Promise<Figure[]> {
  const content = readFileSync(join(stack.home, kind.file));
  const rounds: number[][] = [];
  for (let run = 0; run <= runs; run += 1) rounds.push(await react(stack, kind, content));
  const measured = rounds.slice(1);
  const parts = STEPS.map((words, step) =>
    figure(
      `  until ${words}`,
      'ms',
      measured.map((times) => (times[step] ?? 0) - (step === 0 ? 0 : (times[step - 1] ?? 0))),
    ),
  );
  const whole = measured.map((times) => times.at(-1) ?? 0);
  return [figure(kind.words, 'ms', whole, LIMIT_MS), ...parts];
}

/** Milliseconds from the last byte to the end of each step. The dataset is published before the next run begins. */
async function react({ api, client }: Stack, kind: Kind, content: Buffer): Promise<number[]> {
  const fields = { user_email: 'ada@example.org', sensor: 'TIFF', name: 'a bench' };
  const sent = await sendForm(api.port, '/api/v1/uploads', { fields, fileName: kind.file, content });
  if (sent.status >= 300) throw new Error(`the upload was answered ${sent.status}: ${sent.body}`);
  const { dataset_uuid: uuid, job_id: job } = JSON.parse(sent.body) as Record<
    'dataset_uuid' | 'job_id',
    string
  >;
  const handle = client.workflow.getHandle(datasetWorkflowId(uuid));
  await handle.result();
  const dataset = ((await handle.fetchHistory()).events ?? []) as unknown as HistoryEvent[];
  const upload = ((await client.workflow.getHandle(uploadWorkflowId(job)).fetchHistory()).events ??
    []) as unknown as HistoryEvent[];
  const heard = dataset.find((event) => event.childWorkflowExecutionCompletedEventAttributes);
  return [
    timeOf(dataset[0]),
    timeOf(upload[0]),
    timeOf(startOf(upload, 'fetchSource')),
    timeOf(upload.find((event) => event.activityTaskCompletedEventAttributes)),
    timeOf(heard),
    timeOf(startOf(dataset, kind.activity)),
  ].map((at) => at - sent.lastByteAt);
}

interface HistoryEvent {
  readonly eventId: { toString(): string };
  readonly eventTime: { readonly seconds: { toString(): string }; readonly nanos: number };
  readonly activityTaskScheduledEventAttributes?: { readonly activityType: { readonly name: string } } | null;
  readonly activityTaskStartedEventAttributes?: { readonly scheduledEventId: { toString(): string } } | null;
  readonly activityTaskCompletedEventAttributes?: object | null;
  readonly childWorkflowExecutionCompletedEventAttributes?: object | null;
}

function startOf(events: readonly HistoryEvent[], activity: string): HistoryEvent | undefined {
  const scheduled = events.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType.name === activity,
  );
  const id = scheduled?.eventId.toString();
  return events.find(
    (event) =>
      event.activityTaskStartedEventAttributes?.scheduledEventId.toString() === id && id !== undefined,
  );
}

/** ms since 1970 */
function timeOf(event: HistoryEvent | undefined): number {
  if (event === undefined) throw new Error('the history lacks an event that the bench waits for');
  return Number(event.eventTime.seconds) * 1000 + event.eventTime.nanos / 1e6;
}
