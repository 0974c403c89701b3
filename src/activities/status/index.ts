// Small activities of the control queue: the mirror, what is known of a dataset, clean-up, cancellation.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { markCancelled } from '../../bytes/cancelled.js';
import { removeTree } from '../../bytes/files.js';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import { listReceipts } from '../../bytes/receipts.js';
import { extractStagingKey } from '../../bytes/staging.js';
import type { ControlActivities } from '../../contracts/activities.js';
import type { Delivery } from '../../contracts/workflow.js';
import { readStatus } from '../../domain/dataset.js';
import { datasetWorkflowId } from '../../domain/ids.js';
import type { Vault } from '../../secrets/vault.js';
import { ordersOf } from '../../store/jobs.js';
import { writeMirror } from '../../store/mirror.js';
import type { Store } from '../../store/mongo.js';
import { leaveLine } from '../../store/turns.js';
import { writeJobChange } from '../../store/verifications.js';
import { closeWriter } from '../../store/writers.js';
import { runStage } from '../support/run-stage.js';
import { lookAtUpload } from './look-at-upload.js';
import { mergeDeliveries, mergedUploads } from './merge.js';
import { noteDigests } from './note-digests.js';
import { watchUpload } from './watch-upload.js';

export interface StatusDeps {
  readonly store: Store;
  readonly client: Client;
  readonly roots: Roots;
  readonly secrets: Vault;
}

export function createStatusActivities(deps: StatusDeps): ControlActivities {
  return {
    mirror: (batch) =>
      runStage(async () => {
        const runId = Context.current().info.workflowExecution?.runId ?? '';
        await writeMirror(deps.store, batch, {
          runId,
          isCurrent: () => isCurrent(deps.client, batch.uuid, runId),
        });
        return { runId };
      }),
    showJob: (change) =>
      runStage(() =>
        writeJobChange(deps.store, change, Context.current().info.workflowExecution?.runId ?? ''),
      ),
    recallDataset: ({ uuid }) => runStage(() => recall(deps, uuid)),
    recallOrders: ({ uuid, jobIds }) => runStage(() => ordersOf(deps.store, uuid, jobIds)),
    mergeDeliveries: ({ uuid, deliveries }) => runStage(() => mergeDeliveries(deps.roots, uuid, deliveries)),
    noteDigests: ({ uuid }) => runStage(() => noteDigests(deps.store, deps.roots, uuid)),
    discardUpload: (input) => runStage(() => discardUpload(deps, input)),
    lookAtUpload: (input) => runStage(() => lookAtUpload(deps, input)),
    discardDataset: (input) => runStage(() => discardDataset(deps, input)),
    watchUpload: ({ jobId }) => runStage(() => watchUpload(deps.client, jobId)),
    requestCancellation: ({ workflowId, runId }) =>
      runStage(() => ignoreMissing(() => deps.client.workflow.getHandle(workflowId, runId).cancel())),
  };
}

async function isCurrent(client: Client, uuid: string, runId: string): Promise<boolean> {
  const current = await client.workflow.getHandle(datasetWorkflowId(uuid)).describe();
  return current.runId === runId;
}

/** Deliveries that are told one by one; more would not fit into a message. */
const MOST_SINGLE = 100;

/** Uploads whose bytes are in, by their receipts; their statuses and the dataset's, by the rows. */
async function recall(
  { store, roots }: StatusDeps,
  uuid: string,
): ReturnType<ControlActivities['recallDataset']> {
  const receipts = await listReceipts<Delivery>(roots, uuid, 'fetch');
  const dataset = await store.datasets.findOne({ uuid }, { projection: { status: 1, 'sluice.product': 1 } });
  const jobs = await store.jobs
    .find({ dataset_uuid: uuid }, { projection: { job_id: 1, upload_status: 1 } })
    .toArray();
  const statusOfJob = new Map(jobs.map((job) => [job.job_id, job.upload_status]));
  const known = {
    status: readStatus(dataset?.status ?? 'submitted'),
    published: dataset?.sluice?.product != null,
  };
  // An upload that was cancelled after its bytes came is no part of the dataset.
  const delivered = receipts
    .map(({ key, output }) => ({
      jobId: key,
      status: statusOfJob.get(key) ?? ('processing' as const),
      delivery: output,
    }))
    .filter(({ status }) => status !== 'cancelled');
  return delivered.length <= MOST_SINGLE
    ? { ...known, delivered }
    : { ...known, delivered: [], merged: await mergedUploads(roots, uuid, delivered) };
}

async function discardUpload(
  { roots, secrets, store }: StatusDeps,
  { jobId, forgetSecret, awaited, cancelledIn }: Parameters<ControlActivities['discardUpload']>[0],
): Promise<void> {
  if (awaited) await closeWriter(store, jobId);
  await removeTree(pathOf(roots, 'in', keys.uploadStaging(jobId)));
  if (forgetSecret) {
    await secrets.forget(jobId);
    await leaveLine(store, jobId);
  }
  if (cancelledIn !== undefined) await markCancelled(roots, cancelledIn, jobId);
}

async function discardDataset(
  { roots }: StatusDeps,
  { uuid, keepProducts }: Parameters<ControlActivities['discardDataset']>[0],
): Promise<void> {
  const staging = pathOf(roots, 'out', keys.datasetStaging(uuid));
  await removeTree(pathOf(roots, 'in', extractStagingKey(uuid)));
  if (keepProducts) await removeAttempts(staging);
  else await removeTree(staging);
}

/** A product in staging that is finished stays: its receipts name it, and a retry goes on from it. */
async function removeAttempts(staging: string): Promise<void> {
  const names = await readdir(staging).catch((): string[] => []);
  for (const name of names) if (!name.startsWith('product-')) await removeTree(join(staging, name));
}

async function ignoreMissing(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
