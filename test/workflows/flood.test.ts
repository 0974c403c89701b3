// Many messages to one dataset: its run goes on in a new one, no task is lost, and nothing interrupts it.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import { loadConfig } from '../../src/config/env.js';
import { datasetWorkflowId, QUEUES, uploadWorkflowId } from '../../src/domain/ids.js';
import { type Ports, queueOptions } from '../../src/workers/queues.js';
import {
  addUploadSignal,
  cancelUpdate,
  pauseUpdate,
  resumeUpdate,
  stateQuery,
} from '../../src/workflows/messages.js';
import {
  delivered,
  later,
  newGate,
  order,
  stages,
  start,
  statuses,
  tellStories,
  temporal,
} from '../support/story.js';

tellStories('flood');

/** Orders that are known already, until the run goes on in a new one. */
async function flood(uuid: string, runId: string, jobId: string, atOnce: number): Promise<void> {
  const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
  while ((await handle.describe()).runId === runId) {
    const known = () => handle.signal(addUploadSignal, order(jobId)).catch(() => undefined);
    await Promise.all(Array.from({ length: atOnce }, known));
  }
}

test.each([5, 500])(
  'a run whose history grows long by %d messages at a time goes on in a new one, with its uploads still under way',
  async (atOnce) => {
    const uuid = randomUUID();
    const jobId = `upload_${atOnce}_a`;
    const gate = newGate();
    const acts = stages({
      fetchSource: async () => {
        const beat = setInterval(() => heartbeat(), 500);
        await gate.opened.finally(() => clearInterval(beat));
        return delivered(jobId);
      },
    });
    await temporal.run(acts, async () => {
      const handle = await start(uuid, [order(jobId)]);
      await flood(uuid, handle.signaledRunId, jobId, atOnce);
      gate.open();
      await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result();
      expect(await tasksClosedByForce(uuid, handle.signaledRunId)).toBe(0);
    });
    expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['conversion queued', 'converting', 'done']);
  },
  120_000,
);

test.each(['resume', 'cancel'] as const)(
  'a pause outlives the hand-over to a new run, and %s reaches the upload that stands still',
  async (verb) => {
    const uuid = randomUUID();
    const jobId = `upload_paused_${verb}`;
    let runs = 0;
    const acts = stages({
      fetchSource: async () => {
        runs += 1;
        if (runs > 1) return delivered(jobId);
        const beat = setInterval(() => heartbeat(), 50);
        await Context.current()
          .cancelled.catch(() => undefined)
          .finally(() => clearInterval(beat));
        return { done: false, confirmed: 2 };
      },
    });
    await temporal.run(acts, async () => {
      const { signaledRunId } = await start(uuid, [order(jobId)]);
      const handle = temporal.client.workflow.getHandle(datasetWorkflowId(uuid));
      while (runs === 0) await later(20);
      await handle.executeUpdate(pauseUpdate, { args: [{ by: 'a' }] });
      while ((await handle.query(stateQuery)).paused !== 'paused') await later(50);
      await flood(uuid, signaledRunId, jobId, 50);
      await handle.executeUpdate(verb === 'resume' ? resumeUpdate : cancelUpdate, { args: [{ by: 'a' }] });
      if (verb === 'resume') expect(await handle.result()).toMatchObject({ status: 'done' });
      else await expect(handle.result()).rejects.toThrow();
      const upload = await temporal.client.workflow.getHandle(uploadWorkflowId(jobId)).describe();
      expect(upload.status.name).toBe(verb === 'resume' ? 'COMPLETED' : 'CANCELLED');
    });
    expect(runs).toBe(verb === 'resume' ? 2 : 1);
  },
  60_000,
);

/** WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND: more came while the task ran than the server keeps. */
const FORCE_CLOSE = 17;

async function tasksClosedByForce(uuid: string, runId: string): Promise<number> {
  const { events } = await temporal.client.workflow.getHandle(datasetWorkflowId(uuid), runId).fetchHistory();
  const causes = events?.map((event) => event.workflowTaskFailedEventAttributes?.cause);
  return causes?.filter((cause) => cause === FORCE_CLOSE).length ?? 0;
}

/** What the server gives a workflow task before it gives it to another worker. */
const TASK_MS = 10_000;

test('a workflow is not interrupted while the server waits for it', async () => {
  const connection = await NativeConnection.connect({ address: temporal.address });
  const ports = { config: loadConfig({ ...process.env }) } as unknown as Ports;
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: QUEUES.control,
    ...queueOptions('control', ports),
  });
  await worker.runUntil(async () => undefined);
  await connection.close();
  expect(worker.options.isolateExecutionTimeoutMs).toBeGreaterThan(TASK_MS);
});
