// The mirror as a coroutine beside the story: it coalesces while a write is under way and costs the story no time.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { CancellationScope, condition, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { MirrorBatch } from '../contracts/workflow.js';
import { mirror, mirrorAtOnce } from './proxies.js';
import type { DatasetRecord } from './record.js';

const statusKey = defineSearchAttributeKey('SluiceStatus', SearchAttributeType.KEYWORD);

const GATHER_MS = 250;

type Haste = 'patiently' | 'at once';

export class Mirror {
  readonly #record: DatasetRecord;
  #writing: Promise<void> | undefined;
  /** How the story waits for the newest state to be written; nothing while it does not wait. */
  #awaited: Haste | undefined;
  #shownStatus: string;
  #ranIn: string;

  constructor(record: DatasetRecord) {
    this.#record = record;
    this.#shownStatus = record.status;
    this.#ranIn = workflowInfo().runId;
    record.onChange = () => this.#kick();
  }

  /**
   * Waits until the newest state is written.
   * @param haste `at once`: nothing may depend on which run wrote it, so that it needs no task of its own
   * @returns the run that wrote last: another one than this run when this run was reset after that write
   */
  async flush(haste: Haste = 'patiently'): Promise<string> {
    this.#awaited = haste;
    while (this.#writing !== undefined) await this.#writing;
    this.#awaited = undefined;
    return this.#ranIn;
  }

  #kick(): void {
    // Changes come from signal handlers too, whose scope Temporal cancels: what happened is written all the same.
    this.#writing ??= CancellationScope.nonCancellable(() => this.#drain()).finally(() => {
      this.#writing = undefined;
      // A change may fall between the last look of the writer and this line.
      if (this.#record.dirty) this.#kick();
    });
  }

  async #drain(): Promise<void> {
    await endOfStep();
    // Changes of one moment share a write: readers see them a quarter of a second later, and a small dataset is
    // often done by then.
    await condition(() => this.#awaited !== undefined, GATHER_MS);
    while (this.#record.dirty) {
      this.#showStatus();
      const batch = this.#record.take();
      const { runId } = await (this.#awaited === 'at once' ? writeAtOnce(batch) : writePatiently(batch));
      this.#ranIn = runId;
    }
  }

  #showStatus(): void {
    if (this.#record.status === this.#shownStatus) return;
    this.#shownStatus = this.#record.status;
    upsertSearchAttributes([{ key: statusKey, value: this.#record.status }]);
  }
}

const writePatiently = (batch: MirrorBatch) =>
  mirror.executeWithOptions({ summary: `Show "${batch.dataset.status}" in the database` }, [batch]);

/** One short try inside the workflow task that is under way; when the database is away, the patient way. */
const writeAtOnce = (batch: MirrorBatch) => mirrorAtOnce(batch).catch(() => writePatiently(batch));

/**
 * The end of what the workflow does in this step: changes of one step belong into one write. Conditions are looked
 * at only after all that is ready to run has run, but one that is true at once is not waited for: so it turns true
 * a moment after it was asked.
 */
async function endOfStep(): Promise<void> {
  let asked = false;
  const later = condition(() => asked);
  asked = true;
  await later;
}
