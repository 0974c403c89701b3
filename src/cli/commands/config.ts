// sluice config check: are the settings right, and which are in force.
import type { Command } from 'commander';
import { describeConfig } from '../../config/describe.js';
import { loadConfig } from '../../config/env.js';

export function registerConfig(program: Command): void {
  program
    .command('config')
    .description('settings')
    .command('check')
    .description('check all settings and show those in force (without secrets)')
    .option('--json', 'one JSON object')
    .action((options: { json?: boolean }) => {
      const settings = describeConfig(loadConfig());
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify(settings)}\n`);
        return;
      }
      const width = Math.max(...Object.keys(settings).map((name) => name.length));
      for (const [name, value] of Object.entries(settings)) {
        process.stdout.write(`${name.padEnd(width)}  ${value}\n`);
      }
    });
}
