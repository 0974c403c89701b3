// A whole Sluice for the length of one command, when none is running.
import type { Config } from '../config/config.js';
import type { SupervisorTools } from './databases.js';
import { type Running, startSupervisor } from './supervisor.js';
import { provideTool } from './tools.js';

/**
 * Does the work beside a Sluice of its own, on free ports and the state in SLUICE_HOME, and stops it afterwards.
 * @param say hears of provisioning and of children that died
 * @throws what startSupervisor throws, and what the work throws
 */
export async function withEmbedded<T>(
  config: Config,
  work: (server: Running) => Promise<T>,
  say: (text: string) => void = () => {},
): Promise<T> {
  const server = await startSupervisor(anyPorts(config), await provideTools(config, say), say);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** The tools that these settings need, provided when they are missing, all at the same time. */
export async function provideTools(config: Config, say: (text: string) => void): Promise<SupervisorTools> {
  const [temporal, mongod, python] = await Promise.all([
    config.temporal.address === undefined ? provideTool('temporal', config, say) : undefined,
    config.mongo.url === undefined ? provideTool('mongod', config, say) : undefined,
    provideTool('python', config, say),
  ]);
  return {
    python,
    ...(temporal === undefined ? {} : { temporal }),
    ...(mongod === undefined ? {} : { mongod }),
  };
}

function anyPorts(config: Config): Config {
  return {
    ...config,
    api: { ...config.api, port: 0 },
    temporal: { ...config.temporal, port: 0, uiPort: 0 },
    mongo: { ...config.mongo, port: 0 },
  };
}
