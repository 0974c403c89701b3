// Which stages a dataset goes through, and the dataset status that shows each.
import type { DatasetStatus } from './dataset.js';
import type { Sensor } from './sensor.js';
import type { Stage } from './stage.js';

export interface PlanFacts {
  readonly sensor: Sensor;
  readonly convert: boolean;
  /** Number of files whose content is an archive that we can unpack. */
  readonly archives: number;
}

/** Whether archives are unpacked: OTHER is published as it is, so its archives stay archives. */
export function unpacks(facts: PlanFacts): boolean {
  return facts.archives > 0 && facts.sensor !== 'OTHER';
}

/** The stages of one pass, in order. Without conversion the files themselves are checked and published. */
export function planStages(facts: PlanFacts): readonly Stage[] {
  return ['fetch', ...(unpacks(facts) ? (['extract'] as const) : []), 'convert', 'validate', 'publish'];
}

/** The statuses a dataset passes when a stage starts; empty = the stage does not show in the status. */
export function statusesAtStage(stage: Stage, convert: boolean): readonly DatasetStatus[] {
  switch (stage) {
    case 'fetch':
      return ['uploading'];
    case 'extract':
      return ['unzipping'];
    case 'convert':
      return convert ? ['conversion queued', 'converting'] : [];
    case 'validate':
    case 'publish':
      return [];
  }
}
