// Every option set of the workflows, by situation. No option literal stands anywhere else.
import {
  ActivityCancellationType,
  type ActivityOptions,
  type LocalActivityOptions,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type {
  ComputeActivities,
  ControlActivities,
  JobActivities,
  TargetActivities,
  TransferActivities,
} from '../contracts/activities.js';
import { QUEUES } from '../domain/ids.js';

// Named in every set: left out, the SDK falls back to TRY_CANCEL, and two writers meet on one file.
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

/**
 * Workers may come and go in a long stage. How often it may fail by itself is a rule of the domain (STAGE_TRIES), which
 * the activity applies; this bounds only work that takes its worker down again and again.
 */
const ATTEMPTS = 30;

/**
 * What tells people and clears away goes before everything else that waits on its queue; which owner's goes first,
 * fairness decides, whose key comes with the workflow.
 */
const priority = { priorityKey: 1 } as const;

/**
 * Network and disk: long, resumable from its journal, so a dead worker costs 15 s, the interval, and no bytes. How long a
 * source that failed is left alone, the activity says; what stands here is for workers that die, some over many days.
 */
const transfer: ActivityOptions = {
  taskQueue: QUEUES.transfer,
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '15 seconds',
  cancellationType,
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 2,
    maximumInterval: '30 seconds',
    maximumAttempts: 100,
  },
};

/** Converters and other programs: long, CPU bound; few tries, since each may cost hours. */
const compute: ActivityOptions = {
  taskQueue: QUEUES.compute,
  startToCloseTimeout: '24 hours',
  heartbeatTimeout: '15 seconds',
  cancellationType,
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 4,
    maximumInterval: '5 minutes',
    maximumAttempts: ATTEMPTS,
  },
};

/** The mirror: an outage of the database delays it and never fails it, so it tries for ever. */
const mirroring: ActivityOptions = {
  taskQueue: QUEUES.control,
  priority,
  startToCloseTimeout: '10 seconds',
  cancellationType,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
};

/** The last write of a run that went well: one try within its last task. The patient mirror stands behind it. */
const atOnce: LocalActivityOptions = {
  scheduleToCloseTimeout: '1 second',
  cancellationType,
  retry: { maximumAttempts: 1 },
};

/** Small look-ups and clean-ups; as patient as the mirror, for they need the same database or disk. */
const quick: ActivityOptions = {
  taskQueue: QUEUES.control,
  priority,
  startToCloseTimeout: '60 seconds',
  cancellationType,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
};

/** Waiting for a workflow that another run started: as long as an upload may take. */
const watching: ActivityOptions = {
  taskQueue: QUEUES.control,
  priority,
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '30 seconds',
  cancellationType,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
};

export const { fetchSource, publishTo } = proxyActivities<TransferActivities & TargetActivities>(transfer);
export const { extractArchives, convertDataset, validateProduct, publishProduct, verifyProduct } =
  proxyActivities<ComputeActivities & JobActivities>(compute);
export const { mirror, showJob } = proxyActivities<Pick<ControlActivities, 'mirror' | 'showJob'>>(mirroring);
export const { mirror: mirrorAtOnce } = proxyLocalActivities<Pick<ControlActivities, 'mirror'>>(atOnce);
export const {
  recallDataset,
  recallOrders,
  mergeDeliveries,
  noteDigests,
  discardUpload,
  discardDataset,
  lookAtUpload,
  requestCancellation,
} = proxyActivities<Omit<ControlActivities, 'mirror' | 'showJob' | 'watchUpload'>>(quick);
export const { watchUpload } = proxyActivities<Pick<ControlActivities, 'watchUpload'>>(watching);
