// Looks at everything Sluice needs on this machine; changes nothing.
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/config.js';
import { hidePassword } from '../config/describe.js';
import { findRunning } from '../embedded/run-file.js';
import { findTool, type ToolName } from '../embedded/tools.js';
import { findProgram } from '../process/guard.js';

export interface Finding {
  readonly name: string;
  /** optional: absent, and only one ability is missing with it. */
  readonly state: 'ok' | 'optional' | 'missing';
  readonly found: string;
  readonly remedy?: string;
}

export async function examine(config: Config): Promise<readonly Finding[]> {
  const { temporal, mongo } = config;
  return [
    node(),
    temporal.address === undefined
      ? await tool('temporal', config)
      : { name: 'temporal', state: 'ok', found: `foreign server ${temporal.address} (TEMPORAL_ADDRESS)` },
    mongo.url === undefined
      ? await tool('mongod', config)
      : { name: 'mongod', state: 'ok', found: `foreign server ${hidePassword(mongo.url)} (MONGO_URL)` },
    await tool('python', config),
    await optionalTool('rclone', 'lets files be fetched from remotes of rclone', config),
    ...PROGRAMS.map(program),
    ...[config.home, config.dirs.in, config.dirs.out].map(directory),
    await server(config),
  ];
}

const OLDEST_NODE = [20, 19] as const;

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const found = `${process.versions.node} at ${process.execPath}`;
  return fits
    ? { name: 'node', state: 'ok', found }
    : { name: 'node', state: 'missing', found, remedy: `Install Node ${OLDEST_NODE.join('.')} or later.` };
}

/** A tool that is missing is no fault as long as `sluice up` can provide it; that is what the remedy says. */
async function tool(name: ToolName, config: Config): Promise<Finding> {
  const found = await findTool(name, config);
  if (!('path' in found)) {
    const remedy = `\`sluice up\` tries to provide it. ${found.remedy}`;
    return { name, state: 'missing', found: found.problem, remedy };
  }
  return { name, state: 'ok', found: `${found.version} at ${found.path} (from ${found.source})` };
}

/** A tool without which one ability is missing, and which nothing provides before it is needed. */
async function optionalTool(name: ToolName, use: string, config: Config): Promise<Finding> {
  const found = await findTool(name, config);
  if ('path' in found)
    return { name, state: 'ok', found: `${found.version} at ${found.path} (from ${found.source})` };
  return { name, state: 'optional', found: `${found.problem}; it ${use}`, remedy: found.remedy };
}

/** Looked for, never provided: they come with the distribution. */
const PROGRAMS = [
  { name: 'setpriv', package: 'util-linux', use: 'lets children end with a parent that was killed' },
  { name: 'prlimit', package: 'util-linux', use: 'limits the memory of converters' },
  { name: 'rsync', package: 'rsync', use: 'fetches from rsync servers (source rsync)' },
  { name: 'ssh', package: 'openssh-client', use: 'reaches rsync on hosts without an rsync daemon' },
] as const;

function program({ name, use, package: from }: (typeof PROGRAMS)[number]): Finding {
  const path = findProgram(name);
  if (path !== undefined) return { name, state: 'ok', found: path };
  return {
    name,
    state: 'optional',
    found: `not found; it ${use}`,
    remedy: `Install the package ${from}.`,
  };
}

function directory(path: string): Finding {
  let nearest = path;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  try {
    accessSync(nearest, constants.W_OK);
    return { name: 'directory', state: 'ok', found: path };
  } catch {
    const remedy = `Make ${nearest} writable, or set SLUICE_HOME or VISUS_DATASETS.`;
    return { name: 'directory', state: 'missing', found: `${path} cannot be written`, remedy };
  }
}

async function server(config: Config): Promise<Finding> {
  const name = 'server';
  const running = findRunning(config.home);
  if (running === undefined) {
    return {
      name,
      state: 'optional',
      found: `none is running on ${config.home}`,
      remedy: 'Start it with `sluice up`.',
    };
  }
  const { url, supervisor, version } = running;
  const found = `${version} at ${url} (process ${supervisor.pid})`;
  const problem = await askReady(url);
  if (problem === undefined) return { name, state: 'ok', found };
  return { name, state: 'missing', found: `${found}: ${problem}`, remedy: `See ${config.home}/logs.` };
}

/** Why the server is not ready, or undefined. */
async function askReady(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? undefined : `not ready: ${(await response.text()).slice(0, 500)}`;
  } catch {
    return 'it does not answer';
  }
}
