// One pass over everything a dataset holds: extract → convert → validate → publish, a stage at a time.
import {
  CancellationScope,
  CancelledFailure,
  condition,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { TurnWish, Waits } from '../contracts/activities.js';
import type { Claim } from '../contracts/claim.js';
import type { DatasetInput, Delivery, ProductSummary } from '../contracts/workflow.js';
import { statusesAtStage, unpacks } from '../domain/plan.js';
import { STAGE_WORDS, type Stage } from '../domain/stage.js';
import { noteOf, StageFailed } from './failures.js';
import { convertDataset, extractArchives, publishProduct, validateProduct } from './proxies.js';
import type { DatasetRecord } from './record.js';
import { Turn } from './turn.js';

/** Runs stages: waits while the dataset is paused, shows what runs, and turns a final error into StageFailed. */
export class StageRunner {
  readonly input: DatasetInput;
  readonly #record: DatasetRecord;
  readonly #isCancelled: () => boolean;
  readonly #turn = new Turn('conversions');
  #scope: CancellationScope | undefined;

  constructor(input: DatasetInput, record: DatasetRecord, isCancelled: () => boolean) {
    this.input = input;
    this.#record = record;
    this.#isCancelled = isCancelled;
  }

  get running(): boolean {
    return this.#scope !== undefined;
  }

  /** Ends the running stage, because the dataset was cancelled. */
  interrupt(): void {
    this.#scope?.cancel();
  }

  show(stage: Stage): void {
    this.#record.stage = stage;
    const words = STAGE_WORDS[stage];
    for (const status of statusesAtStage(stage, this.input.convert)) {
      this.#record.enter(status, { actor: 'dataset', reason: words });
    }
    setCurrentDetails(`Now **${words}**.`);
  }

  /** A stage that may find that its owner has enough running: then it waits, without a slot, until it is called. */
  async runInTurn<T extends object>(stage: Stage, work: () => Promise<T | Waits>): Promise<T> {
    return await this.run(stage, async () => {
      for (;;) {
        this.#turn.begin();
        const output = await work();
        if (!('waits' in output)) return output;
        await this.#turn.wait(() => false);
        await condition(() => this.#record.paused === null);
        this.show(stage);
      }
    });
  }

  async run<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    await condition(() => this.#record.paused === null || this.#isCancelled());
    if (this.#isCancelled()) throw new CancelledFailure('cancelled');
    this.show(stage);
    this.#scope = new CancellationScope();
    try {
      return await this.#scope.run(work);
    } catch (error) {
      if (this.#isCancelled()) throw error;
      throw new StageFailed(stage, noteOf(error));
    } finally {
      this.#scope = undefined;
    }
  }
}

/** Makes and publishes the product of these deliveries. A stage whose receipt exists answers at once. */
export async function makeProduct(
  stages: StageRunner,
  deliveries: readonly Delivery[],
): Promise<ProductSummary> {
  const { uuid, name, owner, sensor, convert, parameters, reason, priority } = stages.input;
  const turn = { owner, ...(priority === undefined ? {} : { priority }) };
  const anew = reason === 'convert' ? { anew: workflowInfo().firstExecutionRunId } : {};
  const manifests = deliveries.map(({ manifest }) => manifest);
  const archives = deliveries.reduce((sum, delivery) => sum + delivery.archives, 0);
  const extracted = unpacks({ sensor, convert, archives })
    ? await extract(stages, manifests, turn)
    : undefined;
  const files = { uuid, manifests, ...(extracted ? { extracted } : {}) };
  const { product } = await stages.runInTurn('convert', () =>
    convertDataset.executeWithOptions({ summary: `Convert as ${sensor}` }, [
      { ...files, ...anew, ...turn, sensor, convert, parameters },
    ]),
  );
  const { report } = await stages.run('validate', () =>
    validateProduct.executeWithOptions({ summary: 'Compare the product with its source' }, [
      { uuid, product },
    ]),
  );
  const published = await stages.run('publish', () =>
    publishProduct.executeWithOptions({ summary: 'Swap the product in' }, [
      { ...files, product, report, name, owner, sensor },
    ]),
  );
  return published.product;
}

async function extract(stages: StageRunner, manifests: readonly Claim[], turn: TurnWish): Promise<Claim> {
  const { uuid, archives } = stages.input;
  const input = { uuid, manifests, ...turn, ...(archives ? { archives } : {}) };
  const { manifest } = await stages.runInTurn('extract', () =>
    extractArchives.executeWithOptions({ summary: 'Unpack the archives' }, [input]),
  );
  return manifest;
}
