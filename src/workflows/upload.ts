// One delivery: fetch its bytes, stand still when asked to; its result tells the dataset how it ended.
import {
  CancellationScope,
  CancelledFailure,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { UploadInput, UploadOrder, UploadReport } from '../contracts/workflow.js';
import { type FailureNote, failureRow } from '../domain/failure.js';
import { datasetWorkflowId } from '../domain/ids.js';
import { sourceWords } from '../domain/source.js';
import { beCancelled } from './cancellation.js';
import { ClientBytes } from './client-bytes.js';
import { discardCancelled, discardFailed } from './discard.js';
import { closingFailure, noteOf } from './failures.js';
import { cancelSignal, pauseSignal, resumeSignal, uploadPausedSignal } from './messages.js';
import { discardUpload, fetchSource } from './proxies.js';
import { Turn } from './turn.js';

/** Workflow `upload`, id `upload:<jobId>`: a child of its dataset that may outlive one run of it. */
export async function upload(input: UploadInput): Promise<UploadReport> {
  const root = CancellationScope.current();
  return await CancellationScope.nonCancellable(async () => {
    const report = await fetchUntilEnded(input, root);
    if (report.outcome === 'cancelled') await beCancelled(root);
    if (report.outcome === 'cancelled') throw new CancelledFailure('The upload was cancelled.');
    if (report.failure) throw closingFailure(report.failure, 'fetch');
    return report;
  });
}

async function fetchUntilEnded(input: UploadInput, root: CancellationScope): Promise<UploadReport> {
  const { jobId } = input.order;
  const wish = listen(root);
  const bytes = new ClientBytes(input);
  const turn = new Turn('transfers');
  const isInterrupted = (): boolean => wish.cancelled || wish.pausedBy !== undefined;
  try {
    for (;;) {
      if (wish.cancelled) break;
      if (wish.pausedBy !== undefined) await standStill(input, wish);
      else if (bytes.awaited) await bytes.wait(isInterrupted);
      else {
        turn.begin();
        const output = await wish.interruptible(() => fetchWithSummary(input, bytes.order));
        if (output?.done) {
          const { delivery, noted } = output;
          return { jobId, outcome: 'delivered', delivery, ...(noted ? { noted } : {}) };
        }
        if (output?.waits) await turn.wait(isInterrupted);
      }
    }
    return await cancelled(input);
  } catch (error) {
    const failure = noteOf(error);
    // Cancelled while a client was still sending: the API could only tell it in the order itself.
    if (failure.code === 'cancelled') return await cancelled(input);
    log.warn(`upload ended: ${failure.code}`, { say: failure.say });
    // What a system broke, and what other credentials mend, goes on from its partial files; of what can never be
    // delivered nothing is kept but the secret, for a retry when the source was mended.
    if (!keepsBytes(failure)) await discardUpload(discardFailed(input.order));
    return { jobId, outcome: 'failed', failure };
  }
}

/** Runs of older versions removed what was denied; only there is the question recorded. */
function keepsBytes({ code, blame }: FailureNote): boolean {
  if (blame === 'system') return true;
  return failureRow(code).keepsBytes && patched('keeps bytes');
}

async function cancelled({ uuid, order }: UploadInput): Promise<UploadReport> {
  await discardUpload(discardCancelled(order, uuid));
  return { jobId: order.jobId, outcome: 'cancelled' };
}

const fetchWithSummary = ({ uuid, owner }: UploadInput, order: UploadOrder) =>
  fetchSource.executeWithOptions({ summary: `Fetch ${sourceWords(order.source)}` }, [
    { uuid, jobId: order.jobId, order, owner },
  ]);

/** What users asked of this upload. `cancelled` wins over a pause. */
interface Wish {
  cancelled: boolean;
  pausedBy: string | undefined;
  interruptible<T>(work: () => Promise<T>): Promise<T | undefined>;
}

function listen(root: CancellationScope): Wish {
  let scope: CancellationScope | undefined;
  const wish: Wish = {
    cancelled: false,
    pausedBy: undefined,
    async interruptible(work) {
      scope = new CancellationScope();
      try {
        return await scope.run(work);
      } catch (error) {
        // A pause meets the activity in any state (running, lost with its worker, waiting for its next try):
        // each of these ends as "paused" or "cancelled", and the journal holds the truth.
        if (wish.cancelled || wish.pausedBy !== undefined || isCancellation(error)) return undefined;
        throw error;
      } finally {
        scope = undefined;
      }
    },
  };
  const cancel = (): void => {
    wish.cancelled = true;
    scope?.cancel();
  };
  setHandler(pauseSignal, (command) => {
    wish.pausedBy ??= command?.by ?? 'Temporal Web';
    scope?.cancel();
  });
  setHandler(resumeSignal, () => {
    wish.pausedBy = undefined;
  });
  setHandler(cancelSignal, cancel);
  root.cancelRequested.catch(cancel);
  return wish;
}

async function standStill(input: UploadInput, wish: Wish): Promise<void> {
  const { jobId } = input.order;
  const by = wish.pausedBy ?? '';
  setCurrentDetails(`**Paused** by ${by}. Send the signal \`resume\` to go on.`);
  await signalDataset(input, (dataset) => dataset.signal(uploadPausedSignal, { jobId, paused: true, by }));
  await condition(() => wish.pausedBy === undefined || wish.cancelled);
  await signalDataset(input, (dataset) => dataset.signal(uploadPausedSignal, { jobId, paused: false, by }));
  setCurrentDetails('');
}

type DatasetHandle = ReturnType<typeof getExternalWorkflowHandle>;

/** Signals whichever run of the dataset is current; a dataset that was terminated hears nothing, and that is all. */
async function signalDataset(
  input: UploadInput,
  send: (dataset: DatasetHandle) => Promise<void>,
): Promise<void> {
  try {
    await send(getExternalWorkflowHandle(datasetWorkflowId(input.uuid)));
  } catch (error) {
    log.warn('the dataset does not run any more', { error: String(error) });
  }
}
