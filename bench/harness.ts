// What every bench is given and gives back, and the facts about the machine that stand beside each result.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/config/env.js';
import type { Comparison, Figure } from './stats.js';

export interface BenchOptions {
  /** Rounds; undefined = the bench's own number. */
  readonly runs?: number;
  /** MiB of the body or volume; undefined = the bench's own. */
  readonly size?: number;
  /** A line for the person who waits. */
  say(text: string): void;
}

/** What a bench found out. */
export interface Findings {
  readonly comparisons: readonly Comparison[];
  readonly figures: readonly Figure[];
  /** Sentences: what was done, whether fsync counts, where the time went. */
  readonly notes: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
}

export type Bench = (options: BenchOptions) => Promise<Findings>;

export interface Report extends Findings {
  readonly bench: string;
  readonly at: string;
  readonly machine: Machine;
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  /** Load average of the last minute, before and after: a shared machine shows here. */
  readonly load: { readonly before: number; readonly after: number };
}

export async function runBench(name: string, bench: Bench, options: BenchOptions): Promise<Report> {
  const before = oneMinuteLoad();
  const findings = await bench(options);
  const machine: Machine = {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    load: { before, after: oneMinuteLoad() },
  };
  return { bench: name, at: new Date().toISOString(), machine, ...findings };
}

const oneMinuteLoad = (): number => Math.round((loadavg()[0] ?? 0) * 100) / 100;

/** Versions of packages as package-lock.json pins them. */
export function packageVersions(...names: readonly string[]): Record<string, string> {
  const lock = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  return Object.fromEntries(
    names.map((name) => [name, lock.packages[`node_modules/${name}`]?.version ?? '?']),
  );
}

/** Largest resident memory that a living process has had, MB (10^6 bytes). */
export async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024) / 1e6;
}

/** Processor time that a process has used so far, ms. */
export async function cpuTime(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Fields 14 and 15, counted behind the name, which may hold spaces; in clock ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
