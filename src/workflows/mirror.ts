// The mirror as a coroutine beside the story: it coalesces while a write is under way and costs the story no time.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
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
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    // Changes of one step belong into one write: let the step end first.
    await Promise.resolve();
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
