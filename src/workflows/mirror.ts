// The mirror as a coroutine beside the story: it coalesces while a write is under way and costs the story no time.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { CancellationScope, condition, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { mirror } from './proxies.js';
import type { DatasetRecord } from './record.js';

const statusKey = defineSearchAttributeKey('SluiceStatus', SearchAttributeType.KEYWORD);

export class Mirror {
  readonly #record: DatasetRecord;
  #writing: Promise<void> | undefined;
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
   * @returns the run that wrote last: another one than this run when this run was reset after that write
   */
  async flush(): Promise<string> {
    while (this.#writing !== undefined) await this.#writing;
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
    while (this.#record.dirty) {
      this.#showStatus();
      const { runId } = await mirror.executeWithOptions(
        { summary: `Show "${this.#record.status}" in the database` },
        [this.#record.take()],
      );
      this.#ranIn = runId;
    }
  }

  #showStatus(): void {
    if (this.#record.status === this.#shownStatus) return;
    this.#shownStatus = this.#record.status;
    upsertSearchAttributes([{ key: statusKey, value: this.#record.status }]);
  }
}

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
