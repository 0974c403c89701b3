// sluice up: the whole of Sluice on this machine, until Ctrl-C.
import type { Command } from 'commander';
import { loadConfig } from '../../config/env.js';
import type { Running } from '../../embedded/supervisor.js';
import { showDemo } from '../demo.js';

export function registerUp(program: Command): void {
  program
    .command('up')
    .description('start Temporal, MongoDB, API and worker here, and serve until Ctrl-C')
    .option('--demo', 'ingest the sample of examples/ the first time')
    .action(async (options: { demo?: boolean }) => {
      await up(options.demo === true);
    });
}

const say = (text: string): void => void process.stderr.write(`sluice: ${text}\n`);

async function up(demo: boolean): Promise<void> {
  const config = loadConfig();
  const started = performance.now();
  const stop = awaitStop();
  // Loaded only here: every other command starts faster without the servers' libraries.
  const { provideTools } = await import('../../embedded/with-embedded.js');
  const { startSupervisor } = await import('../../embedded/supervisor.js');
  const tools = await Promise.race([provideTools(config, say), stop.asked]);
  if (tools === undefined) process.exit(0);
  const starting = startSupervisor(config, tools, say);
  stop.onForce(() => void starting.then((running) => running.kill()).catch(() => undefined));
  const running = await Promise.race([starting, stop.asked]);
  if (running !== undefined) {
    announce(running, performance.now() - started);
    if (demo) await Promise.race([showDemo(config, running.url).catch(complain), stop.asked]);
    await stop.asked;
  }
  say('stopping (again Ctrl-C: at once)');
  await (await starting).stop();
  say('stopped');
  process.exit(0);
}

function complain(error: unknown): void {
  say(`the sample could not be ingested: ${error instanceof Error ? error.message : String(error)}`);
}

function announce({ url, temporalUrl }: Running, tookMs: number): void {
  const lines = [
    `Sluice is ready (${(tookMs / 1000).toFixed(1)} s). Ctrl-C stops it.`,
    `  API           ${url}`,
    `  API manual    ${url}/docs`,
    `  Temporal Web  ${temporalUrl}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The first SIGINT or SIGTERM asks for a clean stop, a second SIGINT forces the end. */
function awaitStop(): { asked: Promise<undefined>; onForce(action: () => void): void } {
  let force = (): void => {};
  const asked = new Promise<undefined>((resolve) => {
    let count = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      count += 1;
      if (count > 1 && signal === 'SIGINT') {
        force();
        setImmediate(() => process.exit(130));
      }
      resolve(undefined);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
  return {
    asked,
    onForce(action) {
      force = action;
    },
  };
}
