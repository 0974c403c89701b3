// `sluice up` and its sisters as a person starts them: a process of its own on any free ports, with a home of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach } from '@jest/globals';
import { findRunning, type RunRecord } from '../../src/embedded/run-file.js';

export const scratch = (): string => mkdtempSync(join(tmpdir(), 'sluice-up-'));

export interface Up {
  readonly child: ChildProcess;
  readonly output: () => string;
}
const started: ChildProcess[] = [];

/** Ends what a test left running. */
export const endAfterEach = (): void =>
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  });

export function sluice(home: string, args: string[], env: Record<string, string> = {}): Up {
  const ports = {
    PORT: '0',
    SLUICE_TEMPORAL_PORT: '0',
    SLUICE_TEMPORAL_UI_PORT: '0',
    SLUICE_MONGO_PORT: '0',
  };
  const child = spawn(process.execPath, [join(process.cwd(), 'scripts/sluice.mjs'), ...args], {
    cwd: home,
    env: { ...process.env, NODE_OPTIONS: '', ...ports, SLUICE_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  return { child, output: () => text };
}

export async function until<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
): Promise<T> {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await sleep(100);
  }
  throw new Error(`waited in vain for ${what}`);
}

export async function upAndReady(
  home: string,
  env?: Record<string, string>,
): Promise<RunRecord & { up: Up }> {
  const up = sluice(home, ['up'], env);
  await until(() => {
    if (up.child.exitCode !== null) throw new Error(`ended: ${up.output()}`);
    return up.output().includes('Sluice is ready');
  }, 'sluice up');
  const run = findRunning(home);
  if (run === undefined) throw new Error('no run.json');
  return { ...run, up };
}

export const isReady = async (url: string): Promise<boolean> =>
  (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true;

export async function exitOf({ child }: Up): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
