// The five stages of a dataset's way, in order, and their share of overall progress.

/** Stages in the order in which bytes pass them. */
export const STAGES = ['fetch', 'extract', 'convert', 'validate', 'publish'] as const;
export type Stage = (typeof STAGES)[number];

/** Share of each stage in overall progress; a stage that a dataset skips gives its share to the others. */
export const STAGE_WEIGHTS: Readonly<Record<Stage, number>> = {
  fetch: 40,
  extract: 10,
  convert: 35,
  validate: 10,
  publish: 5,
};

/**
 * How often a stage is tried that fails by itself. A worker that stops or dies takes an attempt too, but no number of
 * those fails a stage: only an attempt that itself ends in a failure, from this one on, is the last.
 */
export const STAGE_TRIES: Readonly<Record<Stage, number>> = {
  fetch: 10,
  extract: 3,
  convert: 3,
  validate: 3,
  publish: 3,
};

/** What a person reads while the stage runs. */
export const STAGE_WORDS: Readonly<Record<Stage, string>> = {
  fetch: 'fetching the files',
  extract: 'unpacking the archives',
  convert: 'converting into a streamable product',
  validate: 'comparing the product with its source',
  publish: 'publishing the product',
};

/**
 * Overall progress.
 * @param planned stages this dataset goes through, in order
 * @param current the stage that is running
 * @param fraction share of the current stage that is done, 0..1
 * @returns percent, 0..100, never beyond what the finished stages and the fraction prove
 */
export function overallPercent(planned: readonly Stage[], current: Stage, fraction: number): number {
  const total = planned.reduce((sum, stage) => sum + STAGE_WEIGHTS[stage], 0);
  if (total === 0) return 0;
  const at = planned.indexOf(current);
  const before = planned.slice(0, Math.max(at, 0)).reduce((sum, stage) => sum + STAGE_WEIGHTS[stage], 0);
  const within = at < 0 ? 0 : STAGE_WEIGHTS[current] * Math.min(Math.max(fraction, 0), 1);
  return ((before + within) / total) * 100;
}
