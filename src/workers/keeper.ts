// The keeper: one worker at a time looks after what no workflow can see of itself.
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Turns } from '../activities/support/turns.js';
import type { Engine } from '../api/engine.js';
import { datasetInput } from '../api/records.js';
import type { Roots } from '../bytes/layout.js';
import { readReceived, totals } from '../bytes/receive.js';
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import type { UploadOrder } from '../contracts/workflow.js';
import { noteFailure } from '../domain/failure.js';
import { faultOf } from '../domain/fault.js';
import { datasetWorkflowId } from '../domain/ids.js';
import { findDataset } from '../store/datasets.js';
import { orderOf } from '../store/jobs.js';
import { takeLease } from '../store/leases.js';
import { isStoreDown, type Store } from '../store/mongo.js';
import { clearReceiver, expiredReceivers } from '../store/receivers.js';
import { isForsaken, repairTerminated, type SuspectCursor, suspects } from '../store/repair.js';
import { createAgeing } from './ageing.js';
import { createLostJobs } from './lost-jobs.js';

export interface KeeperDeps {
  readonly store: Store;
  readonly client: Client;
  readonly engine: Engine;
  readonly roots: Roots;
  readonly quietMs: number;
  readonly turns: Pick<Turns, 'sweep'>;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
}

const EVERY_MS = 4_000;
/** A running dataset is asked after at most this often. */
const ASK_AGAIN_MS = 20_000;

export interface Keeper {
  stop(): Promise<void>;
}

/** Starts the keeper; errors (an outage) are logged and the next round tries again. */
export function startKeeper(deps: KeeperDeps): Keeper {
  const holder = randomUUID();
  const interrupted = createInterrupted(deps);
  const terminated = createTerminated(deps);
  const lost = createLostJobs(deps);
  const aged = createAgeing(deps);
  let stopped = false;
  let wake: () => void = () => undefined;
  const round = async (): Promise<void> => {
    if (!(await takeLease(deps.store, 'keeper', holder, EVERY_MS * 3))) return;
    await interrupted();
    await terminated();
    await lost();
    await deps.turns.sweep();
    await aged();
  };
  const loop = (async () => {
    while (!stopped) {
      await round().catch((error: unknown) =>
        deps.log('the keeper could not look', { error: String(error) }),
      );
      if (stopped) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();
  return {
    async stop() {
      stopped = true;
      wake();
      await loop;
    },
  };
}

/**
 * Uploads whose API process died while it received them, or before it told the workflow: their order is given now.
 * The stage fetch sees in the staging area whether the last byte came. A lease must be seen expired twice, since
 * after an outage of the database its living holder needs a moment to renew it.
 */
export function createInterrupted({
  store,
  engine,
  roots,
  quietMs,
  log,
}: Pick<KeeperDeps, 'store' | 'engine' | 'roots' | 'quietMs' | 'log'>): () => Promise<void> {
  let seen = new Map<string, number>();
  return async () => {
    const expired = await expiredReceivers(store, new Date());
    const again = expired.filter((job) => seen.get(job.job_id) === job.receiver?.until.getTime());
    seen = new Map(expired.map((job) => [job.job_id, job.receiver?.until.getTime() ?? 0]));
    for (const job of again) {
      log('an upload lost its receiver', { job: job.job_id });
      // One that cannot be delivered must not keep the younger ones waiting.
      await deliverAgain(job).catch((error: unknown) => {
        if (isAway(error)) throw error;
        log('an upload could not be given to its workflow', { job: job.job_id, error: String(error) });
      });
    }
  };

  async function deliverAgain(job: JobDocument): Promise<void> {
    const row = await findDataset(store, job.dataset_uuid);
    const order = await orderNow(roots, job);
    if (row !== null && order !== undefined) {
      const run = { fresh: false, reason: 'delivery', by: 'keeper', quietMs } as const;
      await engine.deliver(datasetInput(row, run), order);
    }
    if (job.receiver !== null) await clearReceiver(store, job.job_id, job.receiver.id);
  }
}

/** The order that its row keeps; of an upload whose bytes came whole, before its process could say so, with that. */
async function orderNow(roots: Roots, job: JobDocument): Promise<UploadOrder | undefined> {
  const order = orderOf(job);
  if (order?.source.kind !== 'awaited') return order;
  const files = await readReceived(roots, job.job_id);
  return files === undefined ? order : { ...order, source: { kind: 'received', ...totals(files) } };
}

/** A server that cannot be reached refuses all alike: the round ends. */
const isAway = (error: unknown): boolean =>
  isStoreDown(error) || faultOf(error)?.code === 'engine_unavailable';

/** Runs that somebody terminated: they could not say so themselves, so their rows are repaired here. */
export function createTerminated({
  store,
  client,
  log,
}: Pick<KeeperDeps, 'store' | 'client' | 'log'>): () => Promise<void> {
  const asked = new Map<string, number>();
  // Each round looks at one page; after the last one it begins again.
  let after: SuspectCursor | undefined;
  return async () => {
    const now = Date.now();
    const page = await suspects(store, new Date(now - EVERY_MS * 2), { after });
    after = page.at(-1);
    for (const row of page) {
      if (now - (asked.get(row.uuid) ?? 0) < ASK_AGAIN_MS) continue;
      asked.set(row.uuid, now);
      const run = await lastRun(client, row.uuid);
      if (await repaired(store, row, run)) log('the row of a lost run was repaired', { dataset: row.uuid });
    }
    for (const [uuid, at] of asked) if (now - at > ASK_AGAIN_MS * 3) asked.delete(uuid);
  };
}

async function repaired(store: Store, row: DatasetDocument, run: LastRun): Promise<boolean> {
  if (run === undefined && (await isForsaken(store, row)))
    return await repairTerminated(store, row, null, noteFailure('upload_interrupted'));
  if (run === undefined || !['TERMINATED', 'TIMED_OUT'].includes(run.status)) return false;
  return await repairTerminated(store, row, run.runId);
}

type LastRun = { readonly runId: string; readonly status: string } | undefined;

async function lastRun(client: Client, uuid: string): Promise<LastRun> {
  try {
    const { runId, status } = await client.workflow.getHandle(datasetWorkflowId(uuid)).describe();
    return { runId, status: status.name };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
