// The sample of examples/: ingested the first time, afterwards its product is only named.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { PROJECT_ROOT } from '../config/env.js';
import { ingest } from './commands/ingest.js';

const SAMPLE = { file: 'ocean-temperature.nc', sensor: 'NETCDF', name: 'Ocean temperature (sample)' };

/** Ingests the sample unless this home has it, and prints where its product lies. */
export async function showDemo(config: Config, server: string): Promise<void> {
  const marker = join(config.home, 'demo.json');
  if (!existsSync(marker)) await ingestSample(server, marker);
  if (!existsSync(marker)) return;
  const { product } = JSON.parse(readFileSync(marker, 'utf8')) as { product?: string };
  if (product !== undefined) process.stdout.write(`  Sample        ${product}\n`);
}

async function ingestSample(server: string, marker: string): Promise<void> {
  const source = join(PROJECT_ROOT, 'examples', SAMPLE.file);
  // `up` handles Ctrl-C itself, and does not wait for this.
  const { signal } = new AbortController();
  const { exitCode, result } = await ingest(
    { source, sensor: SAMPLE.sensor, name: SAMPLE.name, server },
    { signal },
  );
  if (exitCode === 0) writeFileSync(marker, `${JSON.stringify(result)}\n`);
}
