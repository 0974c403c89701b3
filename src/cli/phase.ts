// What a dataset is doing, as a person watches it: one phase at a time, with its own percent.
import type { DatasetResource } from '../contracts/http.js';
import { planStages } from '../domain/plan.js';
import type { Sensor } from '../domain/sensor.js';
import { STAGE_WEIGHTS, STAGE_WORDS, type Stage } from '../domain/stage.js';

export interface Phase {
  /** The same as long as it is the same phase. */
  readonly key: string;
  readonly words: string;
  /** Share of this phase that is done, 0..1. */
  readonly fraction: number;
  /** Of the whole way, 0..100. */
  readonly percent: number;
  /** MB/s, 10^6 bytes. */
  readonly mbps: number | null;
  readonly etaSeconds: number | null;
  readonly file: string | null;
  readonly status: string;
  readonly stage: string | null;
}

/** The phase that a dataset's row shows. */
export function phaseOf(dataset: DatasetResource): Phase {
  const { status, stage, paused, progress_percentage: percent } = dataset;
  const words = stage === null ? status : STAGE_WORDS[stage];
  return {
    key: paused === null ? (stage ?? status) : `paused ${stage ?? status}`,
    words: paused === null ? words : `paused by ${paused.by} (${words})`,
    fraction: stage === null ? percent / 100 : stageFraction(dataset, stage),
    percent,
    mbps: dataset.speed_mbps,
    etaSeconds: dataset.eta_seconds,
    file: dataset.current_file,
    status,
    stage,
  };
}

/** The API tells the whole way; the share of the stage at hand follows from the weights. */
function stageFraction(dataset: DatasetResource, stage: Stage): number {
  const facts = { sensor: dataset.sensor as Sensor, convert: dataset.convert, archives: 1 };
  const planned = planStages(facts);
  const stages = planned.includes(stage) ? planned : [stage, ...planned];
  const total = sum(stages);
  const before = sum(stages.slice(0, stages.indexOf(stage)));
  const within = ((dataset.progress_percentage / 100) * total - before) / STAGE_WEIGHTS[stage];
  return Math.min(Math.max(within, 0), 1);
}

const sum = (stages: readonly Stage[]): number =>
  stages.reduce((total, stage) => total + STAGE_WEIGHTS[stage], 0);

/**
 * Bytes on their way to the server; the rate over all of them, since it is what the end depends on.
 * @param before so many were there when the seconds began
 */
export function sendingPhase(sent: number, total: number, seconds: number, before = 0): Phase {
  const perSecond = seconds > 0.2 ? Math.max(sent - before, 0) / seconds : 0;
  return {
    key: 'sending',
    words: 'sending the files',
    fraction: total > 0 ? sent / total : 0,
    percent: 0,
    mbps: perSecond > 0 ? perSecond / 1e6 : null,
    etaSeconds: perSecond > 0 ? Math.ceil((total - sent) / perSecond) : null,
    file: null,
    status: 'sending',
    stage: null,
  };
}
