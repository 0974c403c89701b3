// Runs of rclone: to their end with an output, or as a server of one remote for the transfer engine.
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../../domain/fault.js';
import { withResolvers } from '../../../process/resolvers.js';
import { runTool, type ToolEnd } from '../../../process/run-tool.js';
import type { FetchContext, RcloneSettings } from '../source.js';
import { rcloneFault } from './verdict.js';

/** Listing a large store is silent work; nothing takes longer than this, ms. */
export const LONGEST_SILENCE_MS = 900_000;
const START_MS = 60_000;
const FOR_EVER_MS = 2 ** 31 - 1;
/** Names that could leave the target directory, among others, were mended in this one. */
const OLDEST = [1, 75] as const;

/**
 * Runs a command of rclone to a good end.
 * @throws Fault (see verdict), `program_missing`, `program_stalled`; the signal's reason
 */
export async function runRclone(
  settings: RcloneSettings,
  context: FetchContext,
  args: readonly string[],
  onOutput: (bytes: Buffer) => void,
): Promise<void> {
  const spec = { ...(await specOf(settings, context, args)), stallLimitMs: LONGEST_SILENCE_MS };
  const end = await runTool(spec, { onOutput, signal: context.signal });
  if (end.exitCode !== 0) throw rcloneFault(end.errors, end);
}

/** Programs of which this process knows that they are new enough. */
const proven = new Set<string>();

/** @throws Fault `program_missing` when it is too old to be trusted with names from elsewhere */
export async function expectVersion(settings: RcloneSettings, context: FetchContext): Promise<void> {
  if (proven.has(settings.command)) return;
  let output = '';
  await runRclone(settings, context, ['version'], (bytes) => {
    output += bytes.toString();
  });
  const [, major = 0, minor = 0] = (/^rclone v(\d+)\.(\d+)\./m.exec(output) ?? []).map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) {
    proven.add(settings.command);
    return;
  }
  throw new Fault('program_missing', `rclone ${OLDEST.join('.')} or later is needed (${settings.command}).`);
}

/** What a running server of a remote is to its user. */
export interface Serving {
  readonly port: number;
  /** The value of the Authorization header. */
  readonly authorization: string;
  /** The newest of what rclone complained about. */
  errors(): string;
}

/**
 * Serves a directory of a remote, read-only, on loopback and behind a password of its own, while the work is done.
 * @param place `remote:path`
 */
export async function whileServing<T>(
  settings: RcloneSettings,
  context: FetchContext,
  place: string,
  work: (serving: Serving) => Promise<T>,
): Promise<T> {
  const password = randomBytes(24).toString('base64url');
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const said = createLog();
  const spec = await specOf(settings, context, [...SERVE, '--', place], {
    RCLONE_USER: 'sluice',
    RCLONE_PASS: password,
  });
  const running = runTool(
    { ...spec, stallLimitMs: FOR_EVER_MS },
    { onOutput: () => undefined, onErrors: said.push, signal },
  );
  const ended = running.then(
    (end: ToolEnd) => Promise.reject(rcloneFault(said.text(), end)),
    (error: unknown) => Promise.reject(error),
  );
  ended.catch(() => undefined);
  try {
    const port = await Promise.race([said.port(START_MS), ended]);
    const authorization = `Basic ${Buffer.from(`sluice:${password}`).toString('base64')}`;
    return await Promise.race([work({ port, authorization, errors: said.text }), ended]);
  } finally {
    stop.abort();
    await running.catch(() => undefined);
  }
}

const SERVE = [
  'serve',
  'http',
  '--addr=127.0.0.1:0',
  '--read-only',
  '--log-level=NOTICE',
  // The engine tries again by itself, and sees what is silent.
  '--low-level-retries=1',
  // A file is asked for by ranges; what would be read ahead of one is wasted.
  '--buffer-size=0',
  '--vfs-cache-mode=off',
  '--vfs-read-chunk-size=32Mi',
  '--poll-interval=0',
];

const ALWAYS = [
  '--ask-password=false',
  // The other time that some stores keep costs a request for each file, and is the present one when that fails, which
  // looks like a file that changes all the time.
  '--use-server-modtime',
];

async function specOf(
  { command, config, password }: RcloneSettings,
  { staging }: FetchContext,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
) {
  const cwd = join(staging.partial, 'rclone');
  await mkdir(cwd, { recursive: true, mode: 0o700 });
  return {
    command,
    args: [`--config=${config}`, ...ALWAYS, ...args],
    env: {
      ...(password === undefined ? {} : { RCLONE_CONFIG_PASS: password }),
      GOMEMLIMIT: '256MiB',
      ...more,
    },
    cwd,
    graceMs: 5_000,
  };
}

/** What rclone says, and where it listens. */
function createLog() {
  let text = '';
  const { promise, resolve, reject } = withResolvers<number>();
  return {
    text: () => text,
    push(more: string): void {
      text = (text + more).slice(-16_384);
      const port = /HTTP Server started on \[http:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    },
    async port(patienceMs: number): Promise<number> {
      const timer = setTimeout(
        () => reject(new Fault('remote_broken', 'rclone does not start.')),
        patienceMs,
      );
      return await promise.finally(() => clearTimeout(timer));
    },
  };
}
