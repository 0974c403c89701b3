// The peer of the bench `orchestration`: the same five stages as bare workflows, with nothing around them.
import { condition, defineSignal, executeChild, proxyActivities, setHandler } from '@temporalio/workflow';
import type { BareActivities } from './activities.js';

const { bareFetch, bareExtract, bareConvert, bareValidate, barePublish } = proxyActivities<BareActivities>({
  startToCloseTimeout: '1 minute',
});

/** Starts the work; sent with the start call, as ours is. */
export const orderSignal = defineSignal<[string]>('order');

/** A parent whose child fetches. */
export async function bareParent(id: string): Promise<string> {
  await ordered();
  await executeChild(bareChild, { workflowId: `child-${id}`, args: [id] });
  return await bareStages(id);
}

export async function bareChild(id: string): Promise<string> {
  return await bareFetch(id);
}

/** One workflow with all five. */
export async function bareSingle(id: string): Promise<string> {
  await ordered();
  await bareFetch(id);
  return await bareStages(id);
}

async function ordered(): Promise<void> {
  let order: string | undefined;
  setHandler(orderSignal, (text) => {
    order = text;
  });
  await condition(() => order !== undefined);
}

async function bareStages(id: string): Promise<string> {
  await bareExtract(id);
  await bareConvert(id);
  await bareValidate(id);
  return await barePublish(id);
}
