// Proves a published product again: every file against the checksum manifest, then blocks against the proof.
import { randomInt } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { damageOf } from '../../bytes/disk-fault.js';
import { removeTree } from '../../bytes/files.js';
import { keys, pathOf } from '../../bytes/layout.js';
import type { JobActivities } from '../../contracts/activities.js';
import type { VerifyOrder, VerifyOutput } from '../../contracts/verification.js';
import { faultOf } from '../../domain/fault.js';
import { CONVERSION_RECORD, type ConversionRecord, requireStore } from '../convert/product.js';
import type { StageDeps } from '../support/deps.js';
import { callProgram } from '../support/programs.js';
import { runStage } from '../support/run-stage.js';
import { COMPARE_ALL_BELOW, SAMPLE_BLOCKS } from '../validate/sample.js';
import { type Compared, compareFiles } from './files.js';

export function createVerifyActivities(deps: StageDeps): JobActivities {
  return { verifyProduct: (order) => runStage(() => verify(deps, order), 'validate') };
}

/** Damaged files and blocks of an answer: it becomes a part of the history. */
const MOST_SHOWN = 20;

async function verify(deps: StageDeps, order: VerifyOrder): Promise<VerifyOutput> {
  const { jobId, uuid, manifest } = order;
  const directory = dirname(pathOf(deps.roots, manifest.store, manifest.key));
  // Progress is the job's: the dataset may be busy with another product.
  const own: StageDeps = {
    ...deps,
    logs: join(deps.logs, 'verify'),
    progress: { report: (progress) => deps.progress.report({ ...progress, uuid, jobId }) },
  };
  await requireStore(deps.roots);
  const compared = await compareFiles(own, { uuid, directory, manifest });
  const isGone = compared.damaged.length > 0 && !(await isDirectory(directory));
  const proof = isGone ? GONE : await proveAgain(own, order, directory, compared);
  const different = Number(proof?.['different'] ?? 0);
  const isWhole = compared.damaged.length === 0 && different === 0 && proof?.['problem'] === undefined;
  const { files, bytes, damaged, added } = compared;
  return {
    outcome: isWhole ? 'whole' : 'damaged',
    files,
    bytes,
    damaged: damaged.length,
    damagedFiles: damaged.slice(0, MOST_SHOWN),
    added: added.slice(0, MOST_SHOWN),
    proof,
    say: isWhole ? wholeWords(compared, proof) : damageWords(compared, proof),
  };
}

type Proof = Readonly<Record<string, unknown>>;

const GONE: Proof = { problem: 'The directory of the published product is gone.' };
const NO_RECORD: Proof = { problem: 'The record of the conversion is damaged.' };

/** Blocks against the proof: a sample of a product whose files are whole, all of one that is damaged, to find where. */
async function proveAgain(
  deps: StageDeps,
  { uuid, jobId }: VerifyOrder,
  directory: string,
  { damaged, bytes }: Compared,
): Promise<Proof | null> {
  const broken = (name: string): boolean => damaged.some(({ path }) => path === name);
  const record = broken(CONVERSION_RECORD) ? undefined : await readRecord(directory);
  if (record === undefined) return NO_RECORD;
  const { entry, proof } = record;
  if (proof === null || entry === null) return null;
  if (broken(proof)) return { problem: 'The record of the proof is damaged.' };
  const isDamaged = damaged.length > 0;
  const sample = {
    all_below_bytes: isDamaged ? Number.MAX_SAFE_INTEGER : COMPARE_ALL_BELOW,
    count: SAMPLE_BLOCKS,
    seed: randomInt(2 ** 31),
  };
  const work = pathOf(deps.roots, 'out', keys.uploadStaging(jobId));
  await removeTree(work);
  try {
    const request = { product: directory, entry, proof, sample, again: true };
    return await callProgram(deps, {
      uuid,
      stage: 'validate',
      program: 'prove',
      work,
      request,
      // The files were the first half.
      shown: (progress) => ({
        ...progress,
        done: Math.round(bytes * (1 + progress.done / Math.max(1, progress.total))),
        total: 2 * bytes,
      }),
    });
  } catch (error) {
    // A reader may well fall over what is damaged; of whole files it is a fault of its own.
    const code = faultOf(error)?.code;
    if (!isDamaged || (code !== 'program_failed' && code !== 'bad_content')) throw error;
    return { problem: 'OpenVisus cannot read the damaged product.' };
  } finally {
    await removeTree(work);
  }
}

type Named = Pick<ConversionRecord, 'entry' | 'proof'>;

/** Undefined when it cannot be read, or does not say what a record says: where the list is lost, nothing vouches for it. */
async function readRecord(directory: string): Promise<Named | undefined> {
  try {
    const record: unknown = JSON.parse(await readFile(join(directory, CONVERSION_RECORD), 'utf8'));
    return namesThem(record) ? record : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError) && damageOf(error) === undefined) throw error;
    return undefined;
  }
}

const isName = (value: unknown): boolean => value === null || typeof value === 'string';
const namesThem = (record: unknown): record is Named =>
  typeof record === 'object' &&
  record !== null &&
  ['entry', 'proof'].every((key) => isName((record as Record<string, unknown>)[key]));

function wholeWords({ files, bytes }: Compared, proof: Proof | null): string {
  const blocks =
    proof === null ? '' : `; ${proof['checked']} of ${proof['blocks']} blocks equal their source`;
  return `All ${files} files (${bytes} bytes) are what was published${blocks}.`;
}

function damageWords({ files, damaged }: Compared, proof: Proof | null): string {
  const names = damaged.slice(0, 3).map(({ path, problem }) => `${path} (${problem})`);
  const more = damaged.length > names.length ? ` and ${damaged.length - names.length} more` : '';
  const first =
    damaged.length === 0
      ? `All ${files} files are what was published, but the data differ from their proof.`
      : `${damaged.length} of ${files} files are not what was published: ${names.join(', ')}${more}.`;
  return [first, proofWords(proof)].filter((words) => words !== '').join(' ');
}

function proofWords(proof: Proof | null): string {
  if (typeof proof?.['problem'] === 'string') return proof['problem'];
  const [block] = (proof?.['differences'] ?? []) as { field: string; timestep: number; box: number[][] }[];
  if (block === undefined) return '';
  const [low = [], high = []] = block.box;
  return (
    `${proof?.['different']} of ${proof?.['checked']} blocks differ, first in the field ${block.field} at timestep ` +
    `${block.timestep} in the box [${low.join(', ')}] to [${high.join(', ')}].`
  );
}

const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;
