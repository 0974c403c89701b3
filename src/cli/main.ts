// The command line: registers the commands, and turns errors into words and exit codes.
import { Command } from 'commander';
import { loadConfig } from '../config/env.js';
import { registerConfig } from './commands/config.js';
import { registerDatasets } from './commands/datasets.js';
import { registerDoctor } from './commands/doctor.js';
import { registerIngest } from './commands/ingest.js';
import { registerJobs } from './commands/jobs.js';
import { registerLimits } from './commands/limits.js';
import { registerSensors } from './commands/sensors.js';
import { registerUp } from './commands/up.js';
import { registerVerify } from './commands/verify.js';
import { EXIT, explain } from './exit.js';

const GUIDE = `
Examples:
  sluice up                                                    everything on this machine, until Ctrl-C
  sluice ingest slices/ --sensor TIFF --name "My first stack"  to a published dataset
  sluice datasets ls                                           what is there and how far it is
  sluice jobs logs <job>                                       what the programs of a job wrote

Exit codes: 0 done, 1 the content failed or the state forbids it, 2 wrong usage, 3 a system broke, 130 Ctrl-C.`;

const program = new Command('sluice')
  .description('Self-hosted ingestion of scientific data')
  .showHelpAfterError('(see --help)')
  .addHelpText('after', GUIDE);
program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT.usage));
registerUp(program);
registerIngest(program);
registerDatasets(program);
registerJobs(program);
registerLimits(program);
registerVerify(program);
registerSensors(program);
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
  const { exitCode, say, remedy } = explain(error);
  process.stderr.write(`sluice: ${say}\n${remedy === undefined ? '' : `  do: ${remedy}\n`}`);
  process.exitCode = exitCode;
}
