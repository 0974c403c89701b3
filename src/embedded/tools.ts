// Finds or provides the tools by the bootstrap's own code (scripts/tools.mjs), which also runs before a build exists.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Config } from '../config/config.js';
import { PROJECT_ROOT } from '../config/env.js';

export interface Tool {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  readonly source: 'variable' | 'PATH' | 'cache';
}
export interface MissingTool {
  readonly name: string;
  readonly problem: string;
  readonly remedy: string;
}
/** versitygw is for tests and benches. */
export type ToolName = 'temporal' | 'mongod' | 'python' | 'rclone' | 'versitygw';

interface Provider {
  findTool(name: ToolName, options: object): Promise<Tool | MissingTool>;
  ensureTool(name: ToolName, options: object): Promise<Tool>;
}

/** Looks for a tool; provides nothing. */
export async function findTool(name: ToolName, config: Config): Promise<Tool | MissingTool> {
  return (await provider()).findTool(name, optionsOf(config));
}

/**
 * The tool, provided into the cache when it is missing (minutes for the first time).
 * @throws Error naming the remedy
 */
export async function provideTool(
  name: ToolName,
  config: Config,
  progress: (text: string) => void,
): Promise<Tool> {
  return (await provider()).ensureTool(name, { ...optionsOf(config), progress });
}

async function provider(): Promise<Provider> {
  const url = pathToFileURL(join(PROJECT_ROOT, 'scripts', 'tools.mjs')).href;
  return (await import(url)) as Provider;
}

function optionsOf(config: Config): object {
  return { cache: config.cache, named: config.tools ?? {} };
}
