// sluice limits: who gets how much: what is set, what an owner has, and changing it while work goes on.
import type { Command } from 'commander';
import type { ChangeLimits, LimitResource, OwnerLimits } from '../../contracts/http-limits.js';
import { OWNER_LIMITS, type OwnerLimit } from '../../domain/limits.js';
import { usage } from '../exit.js';
import type { Io } from '../io.js';
import { bytesLimit, countLimit } from '../option-values.js';
import type { Server } from '../server.js';
import { withServer } from '../with-server.js';
import { bytesWords, table } from '../words.js';

type Values = { readonly [K in OwnerLimit]?: number | null | undefined };

interface SetOptions {
  readonly global?: boolean;
  readonly owners?: boolean;
  readonly owner?: string;
  readonly job?: string;
  readonly bandwidth?: number | null;
  readonly openJobs?: number | null;
  readonly openUploads?: number | null;
  readonly openBytes?: number | null;
  readonly storedBytes?: number | null;
  readonly transfers?: number | null;
  readonly conversions?: number | null;
  readonly json?: boolean;
}

export function registerLimits(program: Command): void {
  const limits = program.command('limits').description('who gets how much: show and change limits');
  limits
    .command('ls')
    .description('the limits that are set')
    .option('--json', 'one JSON object')
    .action(({ json }: { json?: boolean }) => withServer((server, io) => list(server, io, json === true)));
  limits
    .command('show <owner>')
    .description('what an owner may have, and what it has')
    .option('--json', 'one JSON object')
    .action((owner: string, { json }: { json?: boolean }) =>
      withServer(async (server, io) => {
        const found = await server.call((client) => client.limits.owner(owner));
        if (json === true) io.out(JSON.stringify(found));
        else for (const line of ownerLines(found)) io.out(line);
      }),
    );
  limits
    .command('set')
    .description('change limits; a value may be `none` (no limit) or `unset` (as if it had never been set)')
    .option('--global', 'all together (bandwidth only)')
    .option('--owners', 'every owner who has no limits of its own')
    .option('--owner <email>', 'this owner')
    .option('--job <job>', 'this job (bandwidth only)')
    .option('--bandwidth <bytes>', 'bytes a second, e.g. 10MB', bytesLimit)
    .option('--transfers <count>', 'transfers at once', countLimit)
    .option('--conversions <count>', 'datasets that are unpacked or converted at once', countLimit)
    .option('--open-jobs <count>', 'jobs that have not ended', countLimit)
    .option('--open-uploads <count>', 'uploads that are still being sent', countLimit)
    .option('--open-bytes <bytes>', 'bytes on their way', bytesLimit)
    .option('--stored-bytes <bytes>', 'bytes received, and those on their way', bytesLimit)
    .option('--json', 'one JSON object')
    .action((options: SetOptions) => withServer((server, io) => change(server, io, options)));
}

async function list(server: Server, io: Io, json: boolean): Promise<void> {
  const found = await server.call((client) => client.limits.list());
  if (json) return io.out(JSON.stringify(found));
  const settings = rowOf('settings, every owner', found.settings);
  const rows = [...(settings[1] === '' ? [] : [settings]), ...found.limits.map(rowOfLimit)];
  for (const line of table(['FOR', 'LIMITS'], rows)) io.out(line);
}

async function change(server: Server, io: Io, options: SetOptions): Promise<void> {
  const target = targetOf(options);
  const body: ChangeLimits = {
    bytes_per_second: options.bandwidth,
    transfers: options.transfers,
    conversions: options.conversions,
    open_jobs: options.openJobs,
    open_uploads: options.openUploads,
    open_bytes: options.openBytes,
    stored_bytes: options.storedBytes,
  };
  if (Object.values(body).every((value) => value === undefined)) {
    throw usage('No limit is named.', 'Give one, e.g. --bandwidth 10MB.');
  }
  const limit = await server.call((client) => client.limits.change(target, body));
  if (options.json === true) return io.out(JSON.stringify(limit));
  const [name = '', values = ''] = rowOfLimit(limit);
  io.err(`sluice: limits of ${name}: ${values === '' ? 'none of its own' : values}`);
}

/** @throws CliError (exit 2) unless exactly one is named */
function targetOf({ global, owners, owner, job }: SetOptions): string {
  const named = [
    global === true ? 'global' : undefined,
    owners === true ? 'owners' : undefined,
    owner === undefined ? undefined : `owners/${owner}`,
    job === undefined ? undefined : `jobs/${job}`,
  ].filter((one) => one !== undefined);
  const [target] = named;
  if (target !== undefined && named.length === 1) return target;
  throw usage('Whose limit?', 'Give one of --global, --owners, --owner <email> and --job <job>.');
}

const FOR: Readonly<Record<LimitResource['scope'], string>> = {
  global: 'all together',
  owners: 'every owner',
  owner: '',
  job: 'job ',
};

const rowOfLimit = ({ scope, name, values }: LimitResource): string[] =>
  rowOf(`${FOR[scope]}${name ?? ''}`, values);

const rowOf = (name: string, values: Values): string[] => [name, valueWords(values)];

const valueWords = (values: Values): string =>
  OWNER_LIMITS.flatMap((name) => {
    const value = values[name];
    return value === undefined || value === null ? [] : [`${LABELS[name]} ${figure(name, value)}`];
  }).join(', ');

const LABELS: Readonly<Record<OwnerLimit, string>> = {
  bytes_per_second: 'bandwidth',
  open_jobs: 'open jobs',
  open_uploads: 'open uploads',
  open_bytes: 'open bytes',
  stored_bytes: 'stored bytes',
  transfers: 'transfers',
  conversions: 'conversions',
};

function figure(name: OwnerLimit, value: number): string {
  if (value === 0) return 'no limit';
  if (name === 'bytes_per_second') return `${bytesWords(value)}/s`;
  return name.endsWith('_bytes') ? bytesWords(value) : String(value);
}

function ownerLines({ limits, use }: OwnerLimits): string[] {
  const used = (name: OwnerLimit): string => {
    const has = (use as Partial<Record<OwnerLimit, number>>)[name];
    if (has === undefined) return '';
    return name.endsWith('_bytes') ? bytesWords(has) : String(has);
  };
  return table(
    ['LIMIT', 'MOST', 'NOW'],
    OWNER_LIMITS.map((name) => [LABELS[name], figure(name, limits[name]), used(name)]),
  );
}
