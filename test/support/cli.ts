// The command line as a process of its own, with what it wrote.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { IngestResult } from '../../src/cli/outcome.js';

const MAIN = join(process.cwd(), 'dist/src/cli/main.js');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** The last line of stdout. */
  readonly result: IngestResult;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it wrote so far, both streams. */
  written(): string;
}

/** @param env at least SLUICE_HOME, and SLUICE_URL unless it shall look for a server */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
  });
  const ended = once(child, 'close').then(([code]) => {
    const last = texts.out.trimEnd().split('\n').at(-1) ?? '';
    const result = (last.startsWith('{') ? JSON.parse(last) : {}) as IngestResult;
    return { code: code as number | null, ...texts, result };
  });
  return { child, ended, written: () => texts.out + texts.err };
}
