// sluice ingest: a file, a directory or a URL becomes a published dataset, in one line.
import type { Command } from 'commander';
import { loadConfig } from '../../config/env.js';
import { SENSORS } from '../../domain/sensor.js';
import { DUPLICATE_RULES } from '../../domain/upload.js';
import { explain } from '../exit.js';
import { Ingestion, Interrupted } from '../ingest.js';
import { addParameter, checkIngest, type IngestOptions } from '../ingest-options.js';
import { type Io, processIo } from '../io.js';
import { endWithout, type IngestEnd, printEnd } from '../outcome.js';

const EXAMPLES = `
Examples:
  sluice ingest scan.tif --sensor TIFF --name "A scan"
  sluice ingest slices/ --sensor TIFF --name "A stack" --json
  sluice ingest https://example.org/sea.nc --sensor NETCDF --param variable=temperature
  sluice ingest https://drive.google.com/drive/folders/1AbC --sensor TIFF --account survey
  sluice ingest s3://bucket/scans/ --sensor TIFF --endpoint https://store.example.org
  sluice ingest scan.h5 --sensor HDF5 --param dataset=/entry/data
  sluice ingest tiles/ --sensor "TIFF RGB" --param columns=4
  sluice ingest notes/ --sensor OTHER --detach

What each sensor takes, what it gives and its parameters: sluice sensors.
Results go to stdout, everything else to stderr. With --json the last line of stdout is the result.
Exit codes: 0 published (--detach: accepted), 1 the content failed, 2 wrong usage, 3 a system broke, or a target of
--publish-to lacks the product, 130 Ctrl-C.
Files of 8 MiB and more are sent resumable: the same command given again goes on where one before was cut off.
Ctrl-C while bytes are being sent stops and throws them away (--detach: keeps them for the same command);
afterwards it only leaves, and the work goes on.`;

export function registerIngest(program: Command): void {
  program
    .command('ingest')
    .description('ingest a file, a directory or a URL, and wait until it is published')
    .argument(
      '<source>',
      'file, directory, URL (http, https), gdrive:<id>, s3://bucket/key, user@host:path, rsync://…, or rclone:remote:path',
    )
    .requiredOption('--sensor <sensor>', `what kind of data it is: ${SENSORS.join(', ')}`)
    .option('--name <name>', 'name of the dataset (default: last part of the source)')
    .option('--email <address>', 'owner (default: SLUICE_EMAIL)')
    .option('--no-convert', 'publish the files as they are')
    .option('--public', 'everybody may see it')
    .option('--folder <folder>', 'group it for people')
    .option('--team <team>', 'team that it belongs to')
    .option('--tags <tags>', 'tags, divided by commas')
    .option('--account <name>', 'service account of the server that reads Google Drive')
    .option('--endpoint <url>', 'address of an S3-compatible store (default: AWS_ENDPOINT_URL, else AWS)')
    .option('--ssh-key <name>', 'private key of the server for rsync over ssh')
    .option(
      '--host-key <key>',
      'public key of the ssh host, "type base64" (default: the known_hosts of the server)',
    )
    .option('--region <region>', 'region of the bucket (default: AWS_REGION, else us-east-1)')
    .option('--duplicates <rule>', `bytes that another dataset has: ${DUPLICATE_RULES.join(', ')}`, 'keep')
    .option('--param <key=value>', 'parameter of the converter, may be repeated', collect)
    .option('--output <form>', 'form of the product: idx (default), zarr, or both')
    .option('--unpack-nested', 'unpack archives inside archives, too')
    .option('--no-keep-archives', 'remove archives when they are unpacked')
    .option(
      '--publish-to <names>',
      'publish targets of the server that get the product too, divided by commas',
    )
    .option('--json', 'JSON lines; the last one is the result')
    .option('--detach', 'leave as soon as the server has everything')
    .addHelpText('after', EXAMPLES)
    .action(
      async (source: string, { param, ...options }: Omit<IngestOptions, 'source'> & { param?: string[] }) => {
        const { exitCode } = await ingest({ ...options, source }, {}, param);
        // An embedded server or an idle connection may not keep a finished command alive.
        process.exit(exitCode);
      },
    );
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export interface IngestSurroundings {
  readonly io?: Io;
  /** Aborted with an Interrupted by whoever handles Ctrl-C; without it this command does. */
  readonly signal?: AbortSignal;
}

/** Ingests and says how it ended, to the console too. Never throws. */
export async function ingest(
  options: IngestOptions,
  { io = processIo(), signal }: IngestSurroundings = {},
  param: readonly string[] = [],
): Promise<IngestEnd> {
  try {
    const config = loadConfig();
    const stop = signal ?? onInterrupt();
    return await new Ingestion(options, config, io, stop).run(() => {
      const parameters = param.reduce((all, text) => addParameter(text, all), { ...options.parameters });
      return checkIngest({ ...options, parameters }, config);
    });
  } catch (error) {
    // Only the settings can fail here; everything else is an end of the ingestion.
    const end = endWithout('refused', { dataset: null, job: null }, explain(error));
    printEnd(io, end, options.json === true);
    return end;
  }
}

/** The first Ctrl-C asks to stop, the second one ends at once. */
function onInterrupt(): AbortSignal {
  const stop = new AbortController();
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new Interrupted());
  });
  return stop.signal;
}
