// The command line: registers the commands, and turns errors into words and exit codes.
import { Command } from 'commander';
import { ConfigError, loadConfig } from '../config/env.js';
import { faultOf } from '../domain/fault.js';
import { registerConfig } from './commands/config.js';
import { registerDoctor } from './commands/doctor.js';
import { registerUp } from './commands/up.js';

/** 1: the content failed; 2: wrong usage; 3: a system broke. */
const EXIT = { content: 1, caller: 2, system: 3 } as const;

const program = new Command('sluice').description('Self-hosted ingestion of scientific data');
program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT.caller));
registerUp(program);
program
  .command('api')
  .description('serve the API')
  .action(async () => {
    const { runApi } = await import('../api/serve.js');
    await runApi(loadConfig());
  });
program
  .command('worker')
  .description('run workers for the queues of SLUICE_QUEUES')
  .action(async () => {
    const { runWorker } = await import('../workers/host.js');
    await runWorker(loadConfig());
  });
registerDoctor(program);
registerConfig(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = explain(error);
}

function explain(error: unknown): number {
  const fault = faultOf(error);
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`sluice: ${text}\n`);
  if (error instanceof ConfigError) return EXIT.caller;
  return fault === undefined ? EXIT.system : EXIT[fault.row.blame];
}
