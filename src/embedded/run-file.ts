// run.json: who supervises this home, its children, and where the API is. Ends what a dead supervisor left.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { commandOf, signalGroup, signalProcess, startTimeOf } from '../process/proc.js';

const processRecord = z.object({
  pid: z.int().positive(),
  /** Clock ticks since boot: tells the process from a later one with the same pid. */
  startTime: z.number().optional(),
  command: z.string(),
});
const runRecord = z.object({
  version: z.string(),
  startedAt: z.string(),
  supervisor: processRecord,
  /** Address of the API. */
  url: z.string(),
  temporalAddress: z.string().optional(),
  temporalUrl: z.string().optional(),
  /** Of an embedded server only, so it holds no password. */
  mongoUrl: z.string().optional(),
  children: z.record(z.string(), processRecord),
});
export type ProcessRecord = z.output<typeof processRecord>;
export type RunRecord = z.output<typeof runRecord>;

const pathIn = (home: string): string => join(home, 'run.json');

/** The record of this home, whether or not its processes still live. */
export function readRun(home: string): RunRecord | undefined {
  try {
    return runRecord.parse(JSON.parse(readFileSync(pathIn(home), 'utf8')));
  } catch {
    return undefined;
  }
}

/** The record of the supervisor that runs on this home at this moment. */
export function findRunning(home: string): RunRecord | undefined {
  const run = readRun(home);
  return run !== undefined && isLiving(run.supervisor) ? run : undefined;
}

export function writeRun(home: string, run: RunRecord): void {
  mkdirSync(home, { recursive: true });
  const part = `${pathIn(home)}.${process.pid}`;
  writeFileSync(part, `${JSON.stringify(run, undefined, 2)}\n`);
  renameSync(part, pathIn(home));
}

/** Removes the record if it is this process's own. */
export function removeRun(home: string): void {
  if (readRun(home)?.supervisor.pid === process.pid) rmSync(pathIn(home), { force: true });
}

/** The record of a living process. */
export function recordOf(pid: number, command: string): ProcessRecord {
  const startTime = startTimeOf(pid);
  return { pid, command, ...(startTime === undefined ? {} : { startTime }) };
}

/** Whoever uses a server ends before it. */
export const STOP_ORDER = ['api', 'worker', 'temporal', 'mongod'];

/**
 * Ends the children that a dead supervisor left, in the order of a clean stop.
 * @returns their names
 */
export async function endLeftovers(home: string, graceMs: number): Promise<readonly string[]> {
  const children = readRun(home)?.children ?? {};
  const left = STOP_ORDER.filter((name) => children[name] !== undefined && isLiving(children[name]));
  for (const name of left) {
    const child = children[name];
    if (child !== undefined) await endProcess(child, graceMs);
  }
  return left;
}

/** Same pid, same start, same command: the process that was recorded. */
function isLiving({ pid, startTime, command }: ProcessRecord): boolean {
  return startTime !== undefined && startTimeOf(pid) === startTime && commandOf(pid) === command;
}

/** SIGTERM, SIGKILL to its group after the grace time; resolves when it is gone, also if it was already. */
export async function endProcess(child: ProcessRecord, graceMs: number): Promise<void> {
  const end = performance.now() + graceMs;
  signalProcess(child.pid, 'SIGTERM');
  while (isLiving(child) && performance.now() < end) await sleep(50);
  signalGroup(child.pid, 'SIGKILL');
  while (isLiving(child)) await sleep(20);
}
