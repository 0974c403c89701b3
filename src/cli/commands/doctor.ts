// sluice doctor: what was found, what is missing and what to do about it.
import type { Command } from 'commander';
import { loadConfig } from '../../config/env.js';
import { examine, type Finding } from '../examine.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('show what was found on this machine and what is missing')
    .option('--json', 'one JSON object')
    .action(async (options: { json?: boolean }) => {
      const findings = await examine(loadConfig());
      const ok = findings.every(({ state }) => state !== 'missing');
      if (options.json === true) process.stdout.write(`${JSON.stringify({ ok, findings })}\n`);
      else print(findings);
      process.exitCode = ok ? 0 : 1;
    });
}

const MARKS: Readonly<Record<Finding['state'], string>> = { ok: 'ok', optional: '--', missing: 'MISSING' };

function print(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, state, found, remedy } of findings) {
    process.stdout.write(`${MARKS[state].padEnd(8)} ${name.padEnd(width)}  ${found}\n`);
    if (remedy !== undefined) process.stdout.write(`${' '.repeat(width + 11)}${remedy}\n`);
  }
}
