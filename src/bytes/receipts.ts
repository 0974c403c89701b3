// Receipts: what a finished stage leaves, so that it is never done again.
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Stage } from '../domain/stage.js';
import { isErrno } from './disk-fault.js';
import { readJson, writeJson } from './json-file.js';
import { keys, pathOf, type Roots } from './layout.js';

export interface Receipt<T> {
  readonly stage: Stage;
  /** What tells this work from other work of the stage: a job id, a digest. */
  readonly key: string;
  /** Digest of what the stage worked on. */
  readonly input: string;
  readonly output: T;
  /** ISO times. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly host: string;
}

/** The receipt of this work, if it was finished. `T` is what leaveReceipt was given for the same stage. */
export async function findReceipt<T>(
  roots: Roots,
  uuid: string,
  stage: Stage,
  key: string,
): Promise<Receipt<T> | undefined> {
  return (await readJson(receiptPath(roots, uuid, stage, key))) as Receipt<T> | undefined;
}

/**
 * Leaves the receipt; from now on the work counts as done.
 * @throws Fault `disk_full`
 */
export async function leaveReceipt<T>(
  roots: Roots,
  uuid: string,
  stage: Stage,
  key: string,
  done: { readonly input: string; readonly output: T; readonly startedAt: Date },
): Promise<Receipt<T>> {
  const receipt: Receipt<T> = {
    stage,
    key,
    input: done.input,
    output: done.output,
    startedAt: done.startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    host: hostname(),
  };
  await writeJson(receiptPath(roots, uuid, stage, key), receipt);
  return receipt;
}

/** The work counts as not done from now on. */
export async function dropReceipt(roots: Roots, uuid: string, stage: Stage, key: string): Promise<void> {
  await rm(receiptPath(roots, uuid, stage, key), { force: true });
}

/** All receipts of a stage, by key. */
export async function listReceipts<T>(roots: Roots, uuid: string, stage: Stage): Promise<Receipt<T>[]> {
  const directory = pathOf(roots, 'in', keys.receipts(uuid));
  const names = await namesIn(directory);
  const mine = names.filter((name) => name.startsWith(`${stage}-`) && name.endsWith('.json')).sort();
  const found = await Promise.all(mine.map((name) => readJson(join(directory, name))));
  return found.filter((receipt) => receipt !== undefined) as Receipt<T>[];
}

/** SHA-256 (hex) of a value as JSON with sorted keys: the digest of a stage's input. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

function receiptPath(roots: Roots, uuid: string, stage: Stage, key: string): string {
  if (!/^[\w-]{1,150}$/.test(key)) throw new Error(`not a key for a receipt: ${key}`);
  return join(pathOf(roots, 'in', keys.receipts(uuid)), `${stage}-${key}.json`);
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, sorted(one)]));
}
