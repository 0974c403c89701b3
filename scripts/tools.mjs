// Finds the tools Sluice stands on, and provides those that are missing: variable, PATH, cache, vendor, registry.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { withLock } from './lock.mjs';
import { isExecutable, onPath, say } from './run.mjs';
import { mongod } from './tool-mongod.mjs';
import { python } from './tool-python.mjs';
import { rclone } from './tool-rclone.mjs';
import { temporal } from './tool-temporal.mjs';
import { versitygw } from './tool-versitygw.mjs';

/**
 * @typedef {object} Found
 * @property {string} name
 * @property {string} path
 * @property {string} version
 * @property {'variable' | 'PATH' | 'cache'} source
 *
 * @typedef {object} Options
 * @property {string} [cache] directory of provided tools
 * @property {Record<string, string | undefined>} [named] tools that the operator named, by tool
 * @property {(text: string) => void} [progress]
 */

/** By name; the tests need all of them, a server those that src/embedded asks for. */
const TOOLS = { temporal, mongod, python, rclone, versitygw };

/**
 * Looks for a tool without providing it.
 * @param {string} name
 * @param {Options} [options]
 * @returns {Promise<Found | {name: string, problem: string, remedy: string}>}
 */
export async function findTool(name, options = {}) {
  const { cache, named } = settled(options);
  const tool = TOOLS[name];
  if (named[name] !== undefined) return findNamed(tool, named[name]);
  for (const candidate of onPath(tool.program ?? '')) {
    const version = await tool.version(candidate);
    if (version !== undefined && tool.accepts(version)) {
      return { name, path: candidate, version, source: 'PATH' };
    }
  }
  const cached = tool.cachedPath(cache);
  if (isExecutable(cached)) {
    return { name, path: cached, version: (await tool.version(cached)) ?? tool.pinned, source: 'cache' };
  }
  return { name, problem: `${tool.words} was not found`, remedy: tool.remedy };
}

/**
 * The tool, provided into the cache when it is missing.
 * @param {string} name
 * @param {Options} [options]
 * @returns {Promise<Found>}
 * @throws Error naming the remedy
 */
export async function ensureTool(name, options = {}) {
  const { cache, progress } = settled(options);
  const found = await findTool(name, options);
  if ('path' in found) return found;
  const tool = TOOLS[name];
  if (found.fatal) throw new Error(`${found.problem}. ${found.remedy}`);
  const target = tool.cachedPath(cache);
  const provide = async () => {
    if (!existsSync(target)) await tool.provide(cache, (text) => progress(`${name}: ${text}`));
  };
  try {
    await withLock(join(cache, 'locks', name), provide, () =>
      progress(`${name}: another process is providing it; waiting`),
    );
  } catch (error) {
    throw new Error(`${tool.words} could not be provided: ${error.message}\n${tool.remedy}`, {
      cause: error,
    });
  }
  return { name, path: target, version: (await tool.version(target)) ?? tool.pinned, source: 'cache' };
}

/** All tools; what is missing is provided at the same time. */
export async function ensureTools(options = {}) {
  const found = await Promise.all(Object.keys(TOOLS).map((name) => ensureTool(name, options)));
  return Object.fromEntries(found.map((tool) => [tool.name, tool]));
}

/** The variables that name these tools to our own programs and tests. */
export function toolVariables(tools) {
  return Object.fromEntries(Object.values(tools).map(({ name, path }) => [TOOLS[name].variable, path]));
}

async function findNamed(tool, path) {
  const { name, variable, remedy } = tool;
  const version = isExecutable(path) ? await tool.version(path) : undefined;
  if (version === undefined) {
    return {
      name,
      problem: `${variable} names ${path}, which does not run`,
      remedy: `Correct or unset ${variable}.`,
      fatal: true,
    };
  }
  if (!tool.accepts(version)) {
    return {
      name,
      problem: `${variable} names version ${version}; ${tool.words} is needed`,
      remedy,
      fatal: true,
    };
  }
  return { name, path, version, source: 'variable' };
}

function settled({ cache, named = {}, progress = say }) {
  const { env } = process;
  const names = Object.values(TOOLS).map(({ name, variable }) => [
    name,
    named[name] ?? (env[variable] || undefined),
  ]);
  return {
    cache: resolve(cache ?? (env.SLUICE_CACHE || join(homedir(), '.cache', 'sluice'))),
    progress,
    named: Object.fromEntries(names),
  };
}
