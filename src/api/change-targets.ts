// Publish targets of a dataset that is there: added ones get its product by a run of its own, removed ones are forgotten.
import type { DatasetDocument } from '../contracts/documents.js';
import type { ChangeTargets } from '../contracts/http-targets.js';
import { isSettled, readStatus } from '../domain/dataset.js';
import { Fault } from '../domain/fault.js';
import type { TargetRow } from '../domain/target.js';
import { amendDataset } from '../store/datasets.js';
import { accepted, type CommandOutcome, startAgain } from './commands.js';
import type { ApiDeps } from './deps.js';
import { requireTargets } from './intake.js';
import { openForDataset, openWhileRunning, refusal } from './open-commands.js';
import { datasetInput } from './records.js';

/** @throws Fault invalid_field, conflict (a run goes on, or the dataset was cancelled), engine_unavailable */
export async function changeTargets(
  deps: ApiDeps,
  row: DatasetDocument,
  { add, remove, by = row.user_email ?? row.user }: ChangeTargets,
): Promise<CommandOutcome> {
  const { publish_to: asked = [], sluice } = row;
  const rows = sluice?.targets ?? [];
  const known = new Set([...asked, ...rows.map(({ target }) => target)]);
  refuseMistakes(deps, { add, remove, known });
  refuseWhileBusy(row);
  const publishTo = [...new Set([...asked.filter((name) => !remove.includes(name)), ...add])];
  const kept = rows.filter(({ target }) => !remove.includes(target));
  const left = copiesLeft(rows, remove);
  const product = readStatus(row.status) === 'done' ? sluice?.product : undefined;
  if (!product) {
    await amendDataset(deps.store, row.uuid, { publish_to: publishTo });
    const later = 'it holds from the next product on';
    return { status: 200, answer: { done: true, notice: [later, ...left].join('; ') } };
  }
  const missing = publishTo.filter((name) => !kept.some(({ target }) => target === name));
  const targets = [...kept, ...missing.map(pending)];
  const { quietMs } = deps.config;
  const run = { fresh: false, reason: 'retry', by, quietMs, uploads: [] } as const;
  const input = datasetInput({ ...row, publish_to: publishTo }, { ...run, sendAgain: { product, targets } });
  // The run first: while another one goes on nothing has changed.
  const { runId } = await startAgain(deps, { ...input, reason: 'retry' }, openForDataset(row, []));
  await amendDataset(deps.store, row.uuid, { publish_to: publishTo });
  const { status, answer } = await accepted(deps);
  const notice = [...(answer.notice === undefined ? [] : [answer.notice]), ...left].join('; ');
  return { status, answer: { ...answer, run_id: runId, ...(notice === '' ? {} : { notice }) } };
}

function refuseMistakes(
  deps: ApiDeps,
  { add, remove, known }: Pick<ChangeTargets, 'add' | 'remove'> & { readonly known: ReadonlySet<string> },
): void {
  if (add.length + remove.length === 0) throw new Fault('invalid_field', 'Name targets to add or to remove.');
  requireTargets(deps, { publish_to: add });
  const both = add.find((name) => remove.includes(name));
  if (both !== undefined) throw new Fault('invalid_field', `${both}: either add it or remove it.`);
  const strange = remove.find((name) => !known.has(name));
  if (strange === undefined) return;
  const has = known.size === 0 ? 'it has none' : `it has ${[...known].join(', ')}`;
  throw new Fault('invalid_field', `remove: ${JSON.stringify(strange)} is no target of the dataset; ${has}.`);
}

function refuseWhileBusy({ status, sluice }: DatasetDocument): void {
  const now = readStatus(status);
  if (now === 'submitted' || (isSettled(now) && now !== 'cancelled')) return;
  const open = now === 'cancelled' ? [] : openWhileRunning(sluice?.paused != null);
  throw refusal('change the targets', { words: `the dataset is "${status}"` }, open);
}

/** Nothing of ours is removed from a place that we may no longer write to, or that others may count on. */
function copiesLeft(rows: readonly TargetRow[], remove: readonly string[]): string[] {
  return rows
    .filter(({ target, url }) => remove.includes(target) && url !== null)
    .map(({ target, url }) => `the copy at ${target} stays (${url}), and is not renewed any more`);
}

const pending = (target: string): TargetRow => ({ target, status: 'pending', at: Date.now(), url: null });
