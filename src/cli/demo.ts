// The sample of examples/: ingested the first time, afterwards its product is only named.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { PROJECT_ROOT } from '../config/env.js';

const SAMPLE = { file: 'ocean-temperature.nc', sensor: 'NETCDF', name: 'Ocean temperature (sample)' };

/** What `sluice ingest` exports. */
interface IngestModule {
  ingest(options: {
    source: string;
    sensor: string;
    name: string;
    server: string;
    json: boolean;
  }): Promise<{ readonly product?: string }>;
}

/** Ingests the sample unless this home has it, and prints where its product lies. */
export async function showDemo(config: Config, server: string): Promise<void> {
  const marker = join(config.home, 'demo.json');
  if (!existsSync(marker)) await ingestSample(server, marker);
  const { product } = JSON.parse(readFileSync(marker, 'utf8')) as { product?: string };
  if (product !== undefined) process.stdout.write(`  Sample        ${product}\n`);
}

async function ingestSample(server: string, marker: string): Promise<void> {
  // By a name that is only known at run time: `up` must start even where the command is not there.
  const module = './commands/ingest.js';
  const { ingest } = (await import(module)) as IngestModule;
  const published = await ingest({
    source: join(PROJECT_ROOT, 'examples', SAMPLE.file),
    sensor: SAMPLE.sensor,
    name: SAMPLE.name,
    server,
    json: false,
  });
  writeFileSync(marker, `${JSON.stringify(published)}\n`);
}
