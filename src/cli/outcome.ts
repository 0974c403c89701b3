// How an ingestion ended: one record for programs, a few lines for people.
import type { DatasetDetail } from '../contracts/http.js';
import { EXIT, EXIT_OF_BLAME, type ExitCode, type Explained } from './exit.js';
import type { Io } from './io.js';
import { bytesWords, pairs } from './words.js';

type LeftOut = DatasetDetail['uploads'][number]['left_out'];

/** The last line of `--json`. Paths are absolute, on the server. */
export interface IngestResult {
  readonly dataset: string | null;
  readonly status: string;
  readonly product: string | null;
  readonly manifest: string | null;
  readonly job: string | null;
  /** Of the product. */
  readonly files: number;
  readonly bytes: number;
  /** Blocks compared with the source, and of how many. */
  readonly checked: number;
  readonly blocks: number;
  readonly preview: string | null;
  /** Pictures of several slices, and of how often which values occur. */
  readonly strip: string | null;
  readonly histogram: string | null;
  /** Another dataset that has the same bytes. */
  readonly duplicate_of: DatasetDetail['duplicate_of'];
  /** What the source of this upload had and was asked to leave out: how many, and the first names. */
  readonly left_out: LeftOut;
  /** The product at each publish target, where some were asked for. */
  readonly published?: DatasetDetail['published'];
  readonly failure?: { readonly code: string; readonly say: string; readonly remedy: string };
}

export interface IngestEnd {
  readonly exitCode: ExitCode;
  readonly result: IngestResult;
}

const KNOWN_LATER = { duplicate_of: null, left_out: null } as const;

/** The fields in the order in which they are promised. */
function record(
  dataset: string | null,
  status: string,
  job: string | null,
  product: DatasetDetail['product'],
): IngestResult {
  const { directory = null, manifest = null, preview = null, strip = null, histogram = null } = product ?? {};
  const { files = 0, bytes = 0, checked = 0, blocks = 0 } = product ?? {};
  const figures = { files, bytes, checked, blocks };
  const pictures = { preview, strip, histogram };
  return { dataset, status, product: directory, manifest, job, ...figures, ...pictures, ...KNOWN_LATER };
}

/** A settled dataset. */
export function endOf(dataset: DatasetDetail, job: string | null): IngestEnd {
  const { uuid, status, product, published = [], failure, duplicate_of, uploads } = dataset;
  const left_out = uploads.find(({ job_id }) => job_id === job)?.left_out ?? null;
  const places = published.length === 0 ? {} : { published };
  const result = { ...record(uuid, status, job, product), duplicate_of, left_out, ...places };
  // Whoever asked for a target counts on it.
  if (status === 'done') return { exitCode: dataset.targets === 'partial' ? EXIT.system : EXIT.done, result };
  const { code, say, remedy } = failure ?? CANCELLED;
  const exitCode = failure === null ? EXIT.content : contentOrSystem(EXIT_OF_BLAME[failure.blame]);
  return { exitCode, result: { ...result, failure: { code, say, remedy } } };
}

const CANCELLED = {
  code: 'cancelled',
  say: 'It was cancelled.',
  remedy: 'Start it again if that was a mistake.',
};

/** The command itself was used rightly, so a fault of whoever called (a URL that may not be fetched) is the content's. */
const contentOrSystem = (code: ExitCode): ExitCode => (code === EXIT.system ? code : EXIT.content);

/** An end without a settled dataset: refused, unreachable, or left running. */
export function endWithout(
  status: string,
  made: { dataset: string | null; job: string | null },
  explained: Explained | { readonly exitCode: ExitCode },
): IngestEnd {
  const base = record(made.dataset, status, made.job, null);
  if (!('code' in explained)) return { exitCode: explained.exitCode, result: base };
  const { exitCode, code, say, remedy = '' } = explained;
  return { exitCode, result: { ...base, failure: { code, say, remedy } } };
}

/** Data to stdout, a failure to stderr. @param temporal link to the story in Temporal Web, when it is known */
export function printEnd(io: Io, { result }: IngestEnd, json: boolean, temporal?: string): void {
  if (result.failure !== undefined) {
    for (const line of failureLines(result, result.failure, temporal)) io.err(line);
  }
  for (const { target, status, say = '' } of result.published ?? []) {
    if (status === 'failed') io.err(`sluice: not published to ${target}: ${say}`);
  }
  if (json) io.out(JSON.stringify(result));
  else if (result.product !== null && result.failure === undefined) {
    for (const line of productLines(result)) io.out(line);
  } else if (result.dataset !== null && result.failure === undefined) io.out(result.dataset);
}

function productLines(result: IngestResult): string[] {
  const { dataset, product, manifest, files, bytes, checked, blocks, duplicate_of } = result;
  return pairs([
    ['published', product],
    ['dataset', dataset],
    ['manifest', manifest],
    ['preview', result.preview],
    ['strip', result.strip],
    ['histogram', result.histogram],
    ...(result.published ?? []).map(({ target, url }) => [`at ${target}`, url] as const),
    ['size', `${bytesWords(bytes)} in ${files} file${files === 1 ? '' : 's'}`],
    ['known', duplicate_of === null ? null : duplicateWords(duplicate_of)],
    ['left out', result.left_out === null ? null : leftOutWords(result.left_out)],
    ['checked', blocks > 0 ? `${checked} of ${blocks} blocks equal their source` : null],
  ]);
}

export const leftOutWords = ({ count, names }: NonNullable<LeftOut>): string =>
  `${count}: ${names.join('; ')}${count > names.length ? '; …' : ''}`;

function duplicateWords({
  dataset,
  name,
  path,
  files,
  of,
}: NonNullable<IngestResult['duplicate_of']>): string {
  const what = of === 1 ? 'the same bytes are' : `${files}${of === null ? '' : ` of ${of}`} of the files are`;
  return `${what} in dataset ${dataset} (${name}) already${path === null ? '' : `, as ${path}`}`;
}

function failureLines(
  { dataset, job }: IngestResult,
  { code, say, remedy }: { code: string; say: string; remedy: string },
  temporal: string | undefined,
): string[] {
  return [
    `sluice: ${say}${code === 'wrong_usage' ? '' : ` (${code})`}`,
    ...(remedy === '' ? [] : [`  do:    ${remedy}`]),
    ...(dataset === null ? [] : [`  see:   sluice datasets show ${dataset}`]),
    ...(job === null ? [] : [`  log:   sluice jobs logs ${job}`]),
    ...(temporal === undefined ? [] : [`  story: ${temporal}`]),
  ];
}
