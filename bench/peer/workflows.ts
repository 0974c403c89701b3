// The peer of the bench `orchestration`: the same five stages as bare workflows, with nothing around them.
import { condition, defineSignal, executeChild, proxyActivities, setHandler } from '@temporalio/workflow';
import type { BareActivities } from './activities.js';

const startToCloseTimeout = '1 minute';
/** The activities on the queue of their workflow, where its worker may take them at once. */
const here = proxyActivities<BareActivities>({ startToCloseTimeout });
const transfer = proxyActivities<BareActivities>({ startToCloseTimeout, taskQueue: 'bare-transfer' });
const compute = proxyActivities<BareActivities>({ startToCloseTimeout, taskQueue: 'bare-compute' });
/** The activities on queues of their own, as ours are. */
const away: BareActivities = {
  bareFetch: transfer.bareFetch,
  bareExtract: compute.bareExtract,
  bareConvert: compute.bareConvert,
  bareValidate: compute.bareValidate,
  barePublish: compute.barePublish,
};

/** Starts the work; sent with the start call, as ours is. */
export const orderSignal = defineSignal<[string]>('order');

/** A parent whose child fetches. */
export async function bareParent(id: string): Promise<string> {
  await ordered();
  await executeChild(bareChild, { workflowId: `child-${id}`, args: [id] });
  return await stages(here, id);
}

export async function bareChild(id: string): Promise<string> {
  return await here.bareFetch(id);
}

/** The same on three queues. */
export async function routedParent(id: string): Promise<string> {
  await ordered();
  await executeChild(routedChild, { workflowId: `child-${id}`, args: [id] });
  return await stages(away, id);
}

export async function routedChild(id: string): Promise<string> {
  return await away.bareFetch(id);
}

/** One workflow with all five. */
export async function bareSingle(id: string): Promise<string> {
  await ordered();
  await here.bareFetch(id);
  return await stages(here, id);
}

async function ordered(): Promise<void> {
  let order: string | undefined;
  setHandler(orderSignal, (text) => {
    order = text;
  });
  await condition(() => order !== undefined);
}

async function stages(activities: BareActivities, id: string): Promise<string> {
  await activities.bareExtract(id);
  await activities.bareConvert(id);
  await activities.bareValidate(id);
  return await activities.barePublish(id);
}
