// A namespace of its own for each test file on the shared server, and workers with given activities.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type {
  ComputeActivities,
  ControlActivities,
  JobActivities,
  TargetActivities,
  TransferActivities,
} from '../../src/contracts/activities.js';
import { QUEUES, SEARCH_ATTRIBUTES } from '../../src/domain/ids.js';
import { WORKFLOW_TASKS } from '../../src/workers/queues.js';

export type AllActivities = TransferActivities &
  TargetActivities &
  ComputeActivities &
  ControlActivities &
  JobActivities;

/** Activities at once; left out: as many as the SDK likes. */
export interface Slots {
  readonly transfer?: number;
  readonly compute?: number;
}

export interface TestTemporal {
  readonly client: Client;
  readonly namespace: string;
  readonly address: string;
  /** Runs workers of all queues with these activities while `work` runs. */
  run<T>(activities: Partial<AllActivities>, work: () => Promise<T>, slots?: Slots): Promise<T>;
  close(): Promise<void>;
}

const required = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: tests start with "npm test"`);
  return value;
};

/** Makes a namespace and registers our search attributes in it. */
export async function openTemporal(title: string): Promise<TestTemporal> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = required('SLUICE_TEST_TEMPORAL');
  const namespace = `${title}-${randomBytes(3).toString('hex')}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  await addSearchAttributes(connection, namespace);
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  return {
    client,
    namespace,
    address,
    run: async (activities, work, slots = {}) =>
      await runWorkers({ connection: native, namespace, activities }, work, slots),
    close: async () => {
      await native.close();
      await connection.close();
    },
  };
}

/** A new namespace is known to all parts of the server after a moment: ask until it is. */
async function addSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const searchAttributes = Object.fromEntries(SEARCH_ATTRIBUTES.map((name) => [name, 2]));
  for (let tries = 0; ; tries += 1) {
    try {
      await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
      return;
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(100);
    }
  }
}

async function runWorkers<T>(
  given: { connection: NativeConnection; namespace: string; activities: Partial<AllActivities> },
  work: () => Promise<T>,
  slots: Slots,
): Promise<T> {
  const workflowBundle = { code: readFileSync(required('SLUICE_TEST_BUNDLE'), 'utf8') };
  const common = { ...given, shutdownGraceTime: '1 second' } as const;
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: QUEUES.control,
      workflowBundle,
      ...WORKFLOW_TASKS,
    }),
    Worker.create({
      ...common,
      taskQueue: QUEUES.transfer,
      maxHeartbeatThrottleInterval: '200ms',
      ...(slots.transfer === undefined ? {} : { maxConcurrentActivityTaskExecutions: slots.transfer }),
    }),
    Worker.create({
      ...common,
      taskQueue: QUEUES.compute,
      maxHeartbeatThrottleInterval: '200ms',
      ...(slots.compute === undefined ? {} : { maxConcurrentActivityTaskExecutions: slots.compute }),
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    return await work();
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
  }
}
