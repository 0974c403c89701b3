// Many messages to one dataset: its run goes on in a new one, no task is lost, and nothing interrupts it.
import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { heartbeat } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import { loadConfig } from '../../src/config/env.js';
import { datasetWorkflowId, QUEUES } from '../../src/domain/ids.js';
import { type Ports, queueOptions } from '../../src/workers/queues.js';
import { addUploadSignal } from '../../src/workflows/messages.js';
import { claim, order, stages, start, statuses, tellStories, temporal } from '../support/story.js';

tellStories('flood');

test.each([5, 500])(
  'a run whose history grows long by %d messages at a time goes on in a new one, with its uploads still under way',
  async (atOnce) => {
    const uuid = randomUUID();
    const jobId = `upload_${atOnce}_a`;
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const acts = stages({
      fetchSource: async () => {
        const beat = setInterval(() => heartbeat(), 500);
        await gate.finally(() => clearInterval(beat));
        return { done: true, delivery: { manifest: claim(jobId), files: 1, bytes: 4, archives: 0 } };
      },
    });
    await temporal.run(acts, async () => {
      const handle = await start(uuid, [order(jobId)]);
      const current = async (): Promise<string> =>
        (await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).describe()).runId;
      // Orders that are known already, until the run goes on in a new one.
      while ((await current()) === handle.signaledRunId) {
        await Promise.all(
          Array.from({ length: atOnce }, () =>
            handle.signal(addUploadSignal, order(jobId)).catch(() => undefined),
          ),
        );
      }
      release();
      await temporal.client.workflow.getHandle(datasetWorkflowId(uuid)).result();
      expect(await tasksClosedByForce(uuid, handle.signaledRunId)).toBe(0);
    });
    expect(statuses(acts.batches, `dataset:${uuid}`)).toEqual(['conversion queued', 'converting', 'done']);
  },
  120_000,
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
