// A job on its own: its statuses, what damage makes of it, how it is cancelled.
import { expect, test } from '@jest/globals';
import { Context, heartbeat } from '@temporalio/activity';
import type { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { JobChange, VerifyOrder, VerifyOutput } from '../../src/contracts/verification.js';
import { jobWorkflowId, QUEUES } from '../../src/domain/ids.js';
import { cancelSignal } from '../../src/workflows/messages.js';
import { recordHistory } from '../support/record.js';
import { claim, newGate, stages, tellStories, temporal } from '../support/story.js';
import type { AllActivities } from '../support/temporal.js';

tellStories('jobs of their own');

const whole: VerifyOutput = {
  outcome: 'whole',
  files: 2,
  bytes: 9,
  damaged: 0,
  damagedFiles: [],
  added: [],
  proof: null,
  say: 'All 2 files are what was published.',
};

const orderOf = (jobId: string): VerifyOrder => ({
  type: 'verify',
  jobId,
  uuid: crypto.randomUUID(),
  name: 'a dataset',
  owner: 'ada@example.org',
  by: 'ada@example.org',
  manifest: claim('m'),
});

/** Runs a job with this work; what it showed, and how it ended. */
async function run(
  jobId: string,
  verifyProduct: AllActivities['verifyProduct'],
  meanwhile: () => Promise<unknown> = async () => undefined,
): Promise<{ shown: JobChange[]; error: unknown; status: string }> {
  const shown: JobChange[] = [];
  let error: unknown;
  const options = { workflowId: jobWorkflowId(jobId), taskQueue: QUEUES.control, args: [orderOf(jobId)] };
  const handle = await temporal.client.workflow.start('job', options);
  const showJob = async (change: JobChange): Promise<void> => void shown.push(change);
  await temporal.run({ ...stages(), verifyProduct, showJob }, async () => {
    await meanwhile();
    error = await handle.result().then(
      () => undefined,
      (reason: unknown) => reason,
    );
  });
  return { shown, error, status: (await handle.describe()).status.name };
}

const steps = (shown: readonly JobChange[]): string[] => shown.map(({ from, to }) => `${from} > ${to}`);

test('a whole product completes the job', async () => {
  const { shown, status } = await run('verify_1_whole', async () => whole);
  expect(steps(shown)).toEqual(['pending > running', 'running > completed']);
  expect(shown[1]).toMatchObject({ result: { outcome: 'whole' }, failure: null, revision: 2 });
  expect(status).toBe('COMPLETED');
  await recordHistory(temporal.client, jobWorkflowId('verify_1_whole'), 'job-verified');
});

test('damage fails the job with its code, and the result says where', async () => {
  const damaged: VerifyOutput = { ...whole, outcome: 'damaged', damaged: 1, say: '1 of 2 files.' };
  const { shown, error, status } = await run('verify_1_damaged', async () => damaged);
  expect(shown[1]).toMatchObject({
    to: 'failed',
    result: { damaged: 1 },
    failure: { code: 'product_damaged', blame: 'content', say: '1 of 2 files.' },
  });
  const cause = (error as WorkflowFailedError).cause;
  expect([cause instanceof ApplicationFailure && cause.type, status]).toEqual(['product_damaged', 'FAILED']);
  await recordHistory(temporal.client, jobWorkflowId('verify_1_damaged'), 'job-damaged');
});

test('a system that broke fails it with that code', async () => {
  const { shown } = await run('verify_1_broken', async () => {
    throw ApplicationFailure.create({ type: 'program_memory', nonRetryable: true });
  });
  expect(shown[1]).toMatchObject({ to: 'failed', result: null, failure: { code: 'program_memory' } });
});

test.each(['signal', 'request'])('cancelled by %s: the work hears of it, the job shows it', async (way) => {
  const begun = newGate();
  const jobId = `verify_1_${way}`;
  const handle = temporal.client.workflow.getHandle(jobWorkflowId(jobId));
  const { shown, error, status } = await run(
    jobId,
    async () => {
      begun.open();
      const beat = setInterval(() => heartbeat(), 50);
      await Context.current().cancelled.finally(() => clearInterval(beat));
      return whole;
    },
    async () => {
      await begun.opened;
      if (way === 'signal') await handle.signal(cancelSignal, { by: 'ada@example.org' });
      else await handle.cancel();
    },
  );
  expect(steps(shown)).toEqual(['pending > running', 'running > cancelled']);
  expect(shown[1]?.actor).toBe(way === 'signal' ? 'ada@example.org' : 'Temporal Web');
  expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
  expect(status).toBe('CANCELLED');
  await recordHistory(temporal.client, jobWorkflowId(jobId), `job-cancelled-by-${way}`);
});
