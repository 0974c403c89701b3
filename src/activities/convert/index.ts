// Stage convert: the files of a pass become a product in staging.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { cloneFile, removeTree } from '../../bytes/files.js';
import { writeJson } from '../../bytes/json-file.js';
import { keys, pathOf } from '../../bytes/layout.js';
import { digestOf, findReceipt, leaveReceipt } from '../../bytes/receipts.js';
import type { ComputeActivities, ConvertInput, ConvertOutput, Waits } from '../../contracts/activities.js';
import type { FileEntry } from '../../contracts/claim.js';
import type { Format } from '../../contracts/formats/format.js';
import { Fault } from '../../domain/fault.js';
import { datasetFiles } from '../support/dataset-files.js';
import type { StageDeps } from '../support/deps.js';
import { startHeart } from '../support/heartbeat.js';
import { inTurn } from '../support/in-turn.js';
import { callProgram } from '../support/programs.js';
import { runStage } from '../support/run-stage.js';
import { type Attempt, isWorthKeeping, openAttempt } from './attempt.js';
import { CONVERSION_RECORD, type ConversionRecord, findProduct } from './product.js';
import { chooseFormat } from './recognise.js';

export function createConvertActivities(deps: StageDeps): Pick<ComputeActivities, 'convertDataset'> {
  return { convertDataset: (input) => runStage(() => convert(deps, input), 'convert') };
}

async function convert(deps: StageDeps, input: ConvertInput): Promise<ConvertOutput | Waits> {
  const { uuid, sensor } = input;
  const files = await datasetFiles(deps.roots, input);
  if (files.length === 0) throw new Fault('no_files', 'The dataset holds no file.');
  const { format, parameters } = await chooseFormat(deps, input, files);
  const digest = digestOf({
    files,
    sensor,
    program: format.program ?? null,
    parameters,
    anew: input.anew ?? null,
  });
  const key = digest.slice(0, 32);
  const done = await findReceipt<ConvertOutput>(deps.roots, uuid, 'convert', key);
  if (done !== undefined && (await findProduct(deps.roots, uuid, done.output.product))) return done.output;

  const work = (): Promise<ConvertOutput> => make(deps, { uuid, format, files, parameters, key, digest });
  // Files that are taken as they are cost nothing that others would wait for.
  return format.program === undefined ? await work() : await inTurn(deps, input, 'convert', work);
}

interface Wish extends Pick<Making, 'uuid' | 'format' | 'files' | 'parameters'> {
  /** Of the receipt, and of its input. */
  readonly key: string;
  readonly digest: string;
}

async function make(deps: StageDeps, wish: Wish): Promise<ConvertOutput> {
  const { uuid, format, files, parameters, key, digest } = wish;
  const startedAt = new Date();
  const attempt = await openAttempt(pathOf(deps.roots, 'out', keys.datasetStaging(uuid)), key);
  const making = { uuid, format, files, parameters, ...attempt };
  try {
    const result = await makeProduct(deps, making);
    const output = await stage(deps, { ...making, result, startedAt });
    await leaveReceipt(deps.roots, uuid, 'convert', key, { input: digest, output, startedAt });
    await removeTree(attempt.work);
    return output;
  } catch (error) {
    if (!isWorthKeeping(error)) await removeTree(attempt.work);
    throw error;
  }
}

interface Making extends Attempt {
  readonly uuid: string;
  readonly format: Format;
  readonly files: readonly FileEntry[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

async function makeProduct(deps: StageDeps, making: Making): Promise<Record<string, unknown>> {
  const { uuid, format, files, parameters, work, product, journal } = making;
  const received = pathOf(deps.roots, 'in', keys.received(uuid));
  if (format.program === undefined) return await takeAsTheyAre(deps, making, received);
  const scratch = join(work, 'scratch');
  await mkdir(scratch);
  const inputs = files.map(({ path }) => ({ path: join(received, path), name: path }));
  return await callProgram(deps, {
    uuid,
    stage: 'convert',
    program: format.program,
    work: join(work, 'run'),
    request: { inputs, output: product, work: scratch, journal, parameters },
  });
}

// Where neither reflinks nor hard links work, a file is copied, silently.
const COPY_BOUND_MS = 1_800_000;

/** Names that we write into every product. */
const OURS = /^(manifest\.json|manifest-sha256\.txt|ro-crate-metadata\.json|sluice(\/|$))/;

/**
 * The files are the product: linked or cloned, since a received file never changes. When one has a name that we
 * write ourselves, all of them stand under `data/`.
 */
async function takeAsTheyAre(
  deps: StageDeps,
  making: Making,
  received: string,
): Promise<Record<string, unknown>> {
  const { uuid, files, product } = making;
  const heart = startHeart(deps.progress, { uuid });
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const below = files.some((file) => OURS.test(file.path)) ? 'data' : '.';
  let done = 0;
  for (const { path, size } of files) {
    Context.current().cancellationSignal.throwIfAborted();
    await heart.waiting(
      cloneFile(join(received, path), join(product, below, path), { hardLink: true }),
      COPY_BOUND_MS,
    );
    done += size;
    heart.beat({ stage: 'convert', done, total, unit: 'bytes', note: path });
  }
  return { kind: 'files', below, bytes_in: total, bytes_out: total };
}

async function stage(
  deps: StageDeps,
  made: Making & { readonly result: Record<string, unknown>; readonly startedAt: Date },
): Promise<ConvertOutput> {
  const { uuid, format, files, parameters, product, result, startedAt } = made;
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  const record: ConversionRecord = {
    version: 1,
    kind: text(result['kind']) ?? 'files',
    entry: text(result['entry']),
    proof: text(result['proof']),
    program: format.program ?? null,
    parameters,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    inputs: files,
    result,
  };
  const path = join(product, CONVERSION_RECORD);
  await writeJson(path, record);
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  const key = `${keys.datasetStaging(uuid)}/product-${digest.slice(0, 32)}`;
  await rename(product, pathOf(deps.roots, 'out', key));
  return { product: { store: 'out', key, size: Number(result['bytes_out'] ?? 0), digest } };
}
