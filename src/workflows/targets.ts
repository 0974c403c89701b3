// The published product on its way to its targets: all at once, and one that fails is noted and holds up nobody.
import { isCancellation } from '@temporalio/workflow';
import type { DatasetInput } from '../contracts/workflow.js';
import { noteOf } from './failures.js';
import type { StageRunner } from './pass.js';
import { publishTo } from './proxies.js';
import type { DatasetRecord } from './record.js';

export class Targets {
  readonly #input: DatasetInput;
  readonly #record: DatasetRecord;
  readonly #stages: StageRunner;
  #again: DatasetInput['sendAgain'];

  constructor(input: DatasetInput, record: DatasetRecord, stages: StageRunner) {
    this.#input = input;
    this.#record = record;
    this.#stages = stages;
    // A run that was handed over has done that before.
    this.#again = input.carried === undefined ? input.sendAgain : undefined;
  }

  get wanted(): boolean {
    return this.#names.length > 0;
  }

  get sendsAgain(): boolean {
    return this.#again !== undefined;
  }

  /** The product that this run published, to every target. */
  async send(): Promise<void> {
    // From now on readers see it here, whatever becomes of the targets.
    this.#record.published = true;
    this.#record.targets = this.#names.map((target) => pending(target));
    await this.#sendTo(this.#names);
  }

  /** What an earlier run published, to the targets that lack it. */
  async sendAgain(): Promise<void> {
    const again = this.#again;
    if (again === undefined) return;
    this.#again = undefined;
    const { by, convert } = this.#input;
    const lacking = again.targets.filter(({ status }) => status !== 'done').map(({ target }) => target);
    this.#record.published = true;
    this.#record.product = again.product;
    this.#record.targets = again.targets.map((row) => (row.status === 'done' ? row : pending(row.target)));
    // A target was removed, which is only to be shown.
    if (lacking.length === 0) return this.#record.touch();
    const reason = `sent again to ${lacking.join(', ')}`;
    this.#record.enter(convert ? 'converting' : 'uploading', { actor: by, reason });
    await this.#sendTo(lacking);
  }

  get #names(): readonly string[] {
    return this.#input.publishTo ?? [];
  }

  async #sendTo(targets: readonly string[]): Promise<void> {
    this.#record.touch();
    await this.#stages.run('publish', async () => {
      const ends = await Promise.allSettled(targets.map((target) => this.#sendOne(target)));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    });
  }

  /** @throws only when it was cancelled */
  async #sendOne(target: string): Promise<void> {
    const { uuid, product } = this.#record;
    if (product === null) return;
    const { manifest } = product;
    try {
      const input = { uuid, owner: this.#input.owner, target, manifest };
      const { url } = await publishTo.executeWithOptions({ summary: `Publish to ${target}` }, [input]);
      this.#record.setTarget({ target, status: 'done', at: Date.now(), url });
    } catch (error) {
      const { code, say } = noteOf(error);
      this.#record.setTarget({ target, status: 'failed', at: Date.now(), url: null, code, say });
      if (isCancellation(error)) throw error;
    }
  }
}

const pending = (target: string) => ({ target, status: 'pending', at: Date.now(), url: null }) as const;
