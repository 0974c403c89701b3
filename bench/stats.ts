// Numbers of several runs: interleaved, with their median and their extremes.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One figure of ours beside a peer's. `ratio` is ours / peer as speed: higher is better, 1 = as fast as the peer. */
export interface Comparison {
  readonly what: string;
  readonly peer: string;
  readonly unit: string;
  readonly ours: Spread;
  readonly theirs: Spread;
  readonly ratio: Spread;
  readonly runs: number;
}

/** One figure that has no peer. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly value: Spread;
  readonly runs: number;
  /** What it must not exceed, in the same unit. */
  readonly limit?: number;
}

/**
 * Runs every contestant once untimed (unless one round is asked for), then `runs` rounds. Each round turns the order,
 * so that none always comes first.
 * @returns the figures by contestant, in the order of the rounds
 */
export async function interleave<K extends string>(
  runs: number,
  contestants: Readonly<Record<K, () => Promise<number>>>,
  onRound: (round: number) => void = () => undefined,
): Promise<Record<K, number[]>> {
  const names = Object.keys(contestants) as K[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  if (runs > 1) for (const name of names) await contestants[name]();
  for (let round = 0; round < runs; round += 1) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      figures[name].push(await contestants[name]());
    }
    onRound(round + 1);
  }
  return figures;
}

/** @param better whether a lower figure (a time) or a higher one (a speed) is the better one */
export function compare(
  words: { what: string; peer: string; unit: string; better: 'lower' | 'higher' },
  ours: readonly number[],
  theirs: readonly number[],
): Comparison {
  const { better, ...rest } = words;
  const ratios = ours.map((value, round) => {
    const other = theirs[round] ?? Number.NaN;
    return better === 'lower' ? other / value : value / other;
  });
  return { ...rest, ours: spread(ours), theirs: spread(theirs), ratio: spread(ratios), runs: ours.length };
}

export function figure(what: string, unit: string, values: readonly number[], limit?: number): Figure {
  const value = spread(values);
  return { what, unit, value, runs: values.length, ...(limit === undefined ? {} : { limit }) };
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** @param sorted ascending */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? 0;
  return low + ((sorted[Math.ceil(at)] ?? low) - low) * (at % 1);
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Growth of memory (MB) over growth of what was moved (MiB), %. */
export const growthOver = (small: number, large: number, mib: number): number =>
  (100 * Math.max(0, large - small)) / (mib * 1.048576);
