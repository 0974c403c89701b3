// What each task queue runs: its activities, made from their ports, and its limits.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { createConvertActivities } from '../activities/convert/index.js';
import { createExtractActivities } from '../activities/extract/index.js';
import { createFetchActivities } from '../activities/fetch/index.js';
import { createPublishActivities } from '../activities/publish/index.js';
import type { Origin } from '../activities/publish/origins.js';
import { createTargetActivities } from '../activities/publish/targets/index.js';
import { createStatusActivities } from '../activities/status/index.js';
import { noteDigests } from '../activities/status/note-digests.js';
import { createAdmission } from '../activities/support/admission.js';
import type { StageDeps } from '../activities/support/deps.js';
import type { ProgressSink } from '../activities/support/heartbeat.js';
import { threadsOf, warmInterpreter } from '../activities/support/programs.js';
import type { Turns } from '../activities/support/turns.js';
import { createValidateActivities } from '../activities/validate/index.js';
import { createVerifyActivities } from '../activities/verify/index.js';
import type { Bandwidth } from '../bandwidth/bandwidth.js';
import type { Config } from '../config/config.js';
import { PROJECT_ROOT } from '../config/env.js';
import type { Queue } from '../domain/ids.js';
import { openGoogleAccounts } from '../secrets/google-accounts.js';
import { openSshDirectory } from '../secrets/ssh-directory.js';
import type { Vault } from '../secrets/vault.js';
import { findDataset } from '../store/datasets.js';
import { findSame } from '../store/digests.js';
import { uploadsOfDataset } from '../store/jobs.js';
import type { Store } from '../store/mongo.js';

export interface Ports {
  readonly config: Config;
  readonly store: Store;
  readonly client: Client;
  readonly secrets: Vault;
  readonly progress: ProgressSink;
  readonly bandwidth: Bandwidth;
  readonly turns: Turns;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
}

/**
 * Node cannot interrupt a workflow between two of its promises: the process dies of it ("async hook stack has become
 * corrupted"), and all that it does with it. The SDK interrupts after 5 s, which thousands of messages at once take on
 * a busy machine. The server takes a task away after 10 s by itself, so this is left for a workflow that never rests.
 * The SDK knows the option and does not declare it.
 */
const UNINTERRUPTED = { isolateExecutionTimeout: '1 minute' } as const;

/** How every worker of workflows runs them, in tests too. */
export const WORKFLOW_TASKS = {
  ...UNINTERRUPTED,
  // A command to a workflow that a killed worker had cached must not wait the default ten seconds.
  stickyQueueScheduleToStartTimeout: '2s',
  // One thread runs them all, so more at once are not faster. What a worker took waits in it without any order,
  // while what is left on the server is given out by priority and owner: at the default of 40 one owner's flood
  // stands before another's every step.
  maxConcurrentWorkflowTaskExecutions: 8,
} as const;

/** The options of a queue's worker, beside those that all have. */
export function queueOptions(queue: Queue, ports: Ports): Partial<WorkerOptions> {
  switch (queue) {
    case 'control':
      return control(ports);
    case 'transfer':
      return transfer(ports);
    case 'compute':
      return compute(ports);
  }
}

function control({ config, ...ports }: Ports): Partial<WorkerOptions> {
  return {
    // Made by the build with the very same SDK; workflows are never bundled at a start.
    workflowBundle: { codePath: join(PROJECT_ROOT, 'dist', 'workflows.bundle.js') },
    activities: createStatusActivities({ ...ports, roots: config.dirs }),
    ...WORKFLOW_TASKS,
  };
}

function transfer(ports: Ports): Partial<WorkerOptions> {
  const { config, store, secrets, progress, bandwidth, turns, log } = ports;
  const { dirs: roots, localRoots, urlAllow } = config;
  const settings = config.owners ?? {};
  const ssh = openSshDirectory(config.sshDir);
  return {
    activities: {
      ...createTargetActivities({ roots, progress, bandwidth, ssh, targets: config.targets ?? [] }),
      ...createFetchActivities({
        roots,
        localRoots,
        urlAllow,
        secrets,
        progress,
        bandwidth,
        findSame: async (uuid, files) => {
          const row = await findDataset(store, uuid);
          return row === null ? [] : await findSame(store, row, files);
        },
        noteDigests: (uuid) => noteDigests(store, roots, uuid),
        turns,
        admit: createAdmission({ store, settings, log }),
        drive: { accounts: openGoogleAccounts(config.googleAccounts), ...config.google },
        ssh,
        ...(config.rclone === undefined
          ? {}
          : { rclone: { ...config.rclone, command: config.tools?.rclone ?? 'rclone' } }),
      }),
    },
    maxConcurrentActivityTaskExecutions: config.worker.transferSlots,
  };
}

function compute({ config, progress, store, turns }: Ports): Partial<WorkerOptions> {
  const programs = {
    python: config.python,
    converters: join(PROJECT_ROOT, 'converters'),
    converterBytes: config.limits.converterBytes,
  };
  const deps: StageDeps = {
    ...programs,
    warm: warmInterpreter(programs, join(config.home, 'warm')),
    roots: config.dirs,
    progress,
    logs: join(config.home, 'joblogs'),
    threads: threadsOf(availableParallelism(), config.worker.computeSlots),
    turns,
  };
  return {
    activities: {
      ...createExtractActivities({ ...deps, limits: config.limits }),
      ...createConvertActivities(deps),
      ...createValidateActivities(deps),
      ...createPublishActivities({ ...deps, findOrigins: (uuid) => originsOf(store, uuid) }),
      ...createVerifyActivities(deps),
    },
    maxConcurrentActivityTaskExecutions: config.worker.computeSlots,
  };
}

/** Where the files of a dataset came from, as the rows of its uploads tell it. */
async function originsOf(store: Store, uuid: string): Promise<Origin[]> {
  const rows = await uploadsOfDataset(store, uuid);
  return rows.map(({ job_id: jobId, source_type: kind, source: words, user_email: by, created_at }) => ({
    jobId,
    kind,
    words,
    by,
    startedAt: created_at.toISOString(),
  }));
}
