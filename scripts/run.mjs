// Small helpers of the scripts: run a program, say something, find the project.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** A line for the person who waits. Standard output is left to results. */
export const say = (text) => process.stderr.write(`sluice: ${text}\n`);

/** Where the lock of a kind of work on this clone lies. */
export function lockFile(name) {
  const clone = createHash('sha256').update(ROOT).digest('hex').slice(0, 12);
  return join(tmpdir(), `sluice-${userInfo().uid}`, `${clone}-${name}.lock`);
}

/**
 * Runs a program without standard input; its output goes to our standard error, or is returned with `capture`.
 * @returns {Promise<{code: number, output: string}>}
 */
export function run(
  command,
  args,
  { env = process.env, cwd = ROOT, capture = false, onOutput, inherit = false } = {},
) {
  return new Promise((done, failed) => {
    const taken = capture || onOutput !== undefined;
    const stdio = inherit ? ['ignore', 1, 2] : taken ? ['ignore', 'pipe', 'pipe'] : ['ignore', 2, 2];
    const child = spawn(command, args, { cwd, env, stdio });
    let output = '';
    const take = (text) => {
      output = (output + text).slice(-1_000_000);
      onOutput?.(text);
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    child.on('error', failed);
    child.on('close', (code, signal) => done({ code: code ?? (signal === null ? 1 : 128), output }));
  });
}

/** As run, but a bad end is an error that shows the last lines. */
export async function must(command, args, options = {}) {
  const { code, output } = await run(command, args, options);
  if (code === 0) return output;
  const last = output.trimEnd().split('\n').slice(-15).join('\n');
  throw new Error(
    `${[command, ...args].join(' ')} ended with exit code ${code}${last === '' ? '' : `:\n${last}`}`,
  );
}

/** All executables of that name on PATH, in order. */
export function onPath(name) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .filter(isExecutable);
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Says every 10 s how long something has been going on. */
export async function withElapsed(describe, work) {
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 1000);
  const timer = setInterval(() => describe(seconds()), 10_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
