// The beginning that tests of one whole Sluice share: a stack for the file, a directory for what they send, the command.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { startCli } from './cli.js';
import { Stack } from './stack.js';

export interface Said {
  readonly code: number | null;
  readonly err: string;
  /** The last line of stdout, as JSON. */
  readonly last: Record<string, unknown>;
}

export interface StackHere {
  /** Usable once the tests run. */
  stack(): Stack;
  /** A new directory for files to send. */
  directory(name: string): string;
  /** Runs the command with `--json` against the stack. */
  sluice(...args: readonly string[]): Promise<Said>;
}

/** Starts a stack before the tests of a file and ends it after them. */
export function stackHere(
  settings: Readonly<Record<string, string>> = { SLUICE_QUIET_MS: '300' },
): StackHere {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start(settings);
  }, 120_000);
  afterAll(async () => await stack.close(), 60_000);
  return {
    stack: () => stack,
    directory(name) {
      const path = join(stack.home, 'files', name);
      mkdirSync(path, { recursive: true });
      return path;
    },
    async sluice(...args) {
      const env = { SLUICE_HOME: stack.home, SLUICE_URL: stack.apiUrl };
      const { code, err, out } = await startCli([...args, '--json'], env).ended;
      const last = JSON.parse(out.trimEnd().split('\n').at(-1) || '{}') as Record<string, unknown>;
      return { code, err, last };
    },
  };
}
