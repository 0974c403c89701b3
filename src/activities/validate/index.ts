// Stage validate: a product that cannot be proven equal to its source is not published.
import { createHash, randomInt } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { damageOf } from '../../bytes/disk-fault.js';
import { removeTree } from '../../bytes/files.js';
import { hashFile } from '../../bytes/hash.js';
import { writeJson } from '../../bytes/json-file.js';
import { keys, pathOf } from '../../bytes/layout.js';
import { findReceipt, leaveReceipt } from '../../bytes/receipts.js';
import type { ComputeActivities, ValidateInput, ValidateOutput } from '../../contracts/activities.js';
import type { ProductPictures } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import { CONVERSION_RECORD, type ConversionRecord, findProduct, productName } from '../convert/product.js';
import type { StageDeps } from '../support/deps.js';
import { SLOW_DISK_MS, startHeart } from '../support/heartbeat.js';
import { callProgram } from '../support/programs.js';
import { runStage } from '../support/run-stage.js';
import type { ValidationRecord } from './record.js';
import { VALIDATION_RECORD } from './record.js';
import { COMPARE_ALL_BELOW, SAMPLE_BLOCKS } from './sample.js';

const PREVIEW = 'sluice/preview.png';
const PICTURES = {
  x: 'preview-x.png',
  y: 'preview-y.png',
  strip: 'strip.png',
  histogram: 'histogram.png',
} as const;
const COUNTS = 'sluice/histogram.json';

export function createValidateActivities(deps: StageDeps): Pick<ComputeActivities, 'validateProduct'> {
  return { validateProduct: (input) => runStage(() => validate(deps, input), 'validate') };
}

async function validate(deps: StageDeps, input: ValidateInput): Promise<ValidateOutput> {
  const { uuid, product } = input;
  const key = productName(product);
  const done = await findReceipt<ValidateOutput>(deps.roots, uuid, 'validate', key);
  if (done !== undefined) return done.output;
  const startedAt = new Date();
  const directory = await findProduct(deps.roots, uuid, product);
  if (directory === undefined)
    throw new Fault('product_incomplete', 'The product is not in staging any more.');
  const conversion = JSON.parse(
    await readFile(join(directory, CONVERSION_RECORD), 'utf8'),
  ) as ConversionRecord;
  const found =
    conversion.proof === null
      ? await compareFiles(deps, uuid, directory, conversion)
      : await compareBlocks(deps, uuid, directory, conversion);
  const output = await writeReport(directory, input, found);
  await leaveReceipt(deps.roots, uuid, 'validate', key, { input: product.digest, output, startedAt });
  return output;
}

type Found = Omit<ValidationRecord, 'version' | 'product' | 'at'>;

/** A product of blocks: read by OpenVisus, compared with digests that were taken from the source. */
async function compareBlocks(
  deps: StageDeps,
  uuid: string,
  directory: string,
  conversion: ConversionRecord,
): Promise<Found> {
  const work = join(pathOf(deps.roots, 'out', keys.datasetStaging(uuid)), 'validate');
  await removeTree(work);
  await mkdir(work, { recursive: true });
  const sample = { all_below_bytes: COMPARE_ALL_BELOW, count: SAMPLE_BLOCKS, seed: randomInt(2 ** 31) };
  const { entry, proof } = conversion;
  try {
    const request = { product: directory, entry, proof, preview: join(directory, PREVIEW), sample };
    const result = await callProgram(deps, { uuid, stage: 'validate', program: 'prove', work, request });
    const { checked, blocks } = result;
    // What could not be drawn is not there; the record says why.
    const preview = result['preview'] === null ? null : PREVIEW;
    const pictures = picturesOf(result['pictures']);
    return { checked: Number(checked), blocks: Number(blocks), preview, pictures, details: result };
  } finally {
    await removeTree(work);
  }
}

/** The program drew these beside the preview. */
function picturesOf(drawn: unknown): ProductPictures {
  const has = (file: string): boolean => typeof drawn === 'object' && drawn !== null && file in drawn;
  const there = Object.entries(PICTURES).filter(([, file]) => has(file));
  const paths = Object.fromEntries(there.map(([name, file]) => [name, `sluice/${file}`]));
  return { ...paths, ...(has(PICTURES.histogram) ? { counts: COUNTS } : {}) };
}

/** Files that are the product themselves: each has the digest that it was received with. */
async function compareFiles(
  deps: StageDeps,
  uuid: string,
  directory: string,
  conversion: ConversionRecord,
): Promise<Found> {
  const heart = startHeart(deps.progress, { uuid });
  const signal = Context.current().cancellationSignal;
  const total = conversion.inputs.reduce((sum, file) => sum + file.size, 0);
  const below = String(conversion.result['below'] ?? '.');
  let before = 0;
  for (const file of conversion.inputs) {
    const onProgress = (bytes: number): void =>
      heart.beat({ stage: 'validate', done: before + bytes, total, unit: 'bytes', note: file.path });
    const hashing = hashFile(join(directory, below, file.path), { signal, onProgress }).catch(unlessMissing);
    const found = await heart.waiting(hashing, SLOW_DISK_MS);
    if (found?.sha256 !== file.sha256) {
      throw new Fault('product_differs', `The published file ${file.path} is not what was received.`);
    }
    before += file.size;
  }
  const files = conversion.inputs.length;
  return { checked: files, blocks: files, preview: null, details: { bytes_checked: total, complete: true } };
}

/** @throws what says that the system broke, not that the file is gone */
function unlessMissing(error: unknown): undefined {
  if (damageOf(error) !== 'missing') throw error;
}

async function writeReport(directory: string, input: ValidateInput, found: Found): Promise<ValidateOutput> {
  const path = join(directory, VALIDATION_RECORD);
  const record: ValidationRecord = {
    version: 1,
    product: input.product.digest,
    at: new Date().toISOString(),
    ...found,
  };
  await writeJson(path, record);
  const content = await readFile(path);
  const digest = createHash('sha256').update(content).digest('hex');
  const key = `${input.product.key}/${VALIDATION_RECORD}`;
  return { report: { store: 'out', key, size: content.length, digest } };
}
