// The options of `sluice ingest`, checked before anything is read or sent.
import { userInfo } from 'node:os';
import { basename, resolve } from 'node:path';
import type { Config } from '../config/config.js';
import { formatOf, parametersOf } from '../contracts/formats/registry.js';
import { newDatasetUploadSchema } from '../contracts/http.js';
import { Fault } from '../domain/fault.js';
import { SENSOR_ALIASES, SENSORS, type Sensor } from '../domain/sensor.js';
import type { DatasetFields } from './delivery.js';
import { usage } from './exit.js';
import { classify, type Named } from './source.js';

export interface IngestOptions {
  readonly source: string;
  readonly sensor: string;
  /** Default: the last part of the source. */
  readonly name?: string | undefined;
  /** Default: SLUICE_EMAIL, or the user of this machine. */
  readonly email?: string | undefined;
  readonly convert?: boolean | undefined;
  readonly public?: boolean | undefined;
  readonly folder?: string | undefined;
  readonly team?: string | undefined;
  readonly tags?: string | undefined;
  /** Service account that reads Google Drive. */
  readonly account?: string | undefined;
  /** Address and region of an S3-compatible store. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** Keys of rsync over ssh. */
  readonly sshKey?: string | undefined;
  readonly hostKey?: string | undefined;
  /** Unpack archives inside archives, too. */
  readonly unpackNested?: boolean | undefined;
  /** false: remove archives when they are unpacked. */
  readonly keepArchives?: boolean | undefined;
  /** Names of publish targets, divided by commas. */
  readonly publishTo?: string | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Form of the product: idx, zarr or both. */
  readonly output?: string | undefined;
  /** keep, link or ask. */
  readonly duplicates?: string | undefined;
  readonly json?: boolean | undefined;
  /** Leave as soon as the server has everything. */
  readonly detach?: boolean | undefined;
  /** Address of the server, instead of looking for one. */
  readonly server?: string | undefined;
}

export interface CheckedIngest {
  readonly named: Named;
  readonly fields: DatasetFields;
}

/** @throws CliError (exit 2) naming the option and what it may be */
export function checkIngest(options: IngestOptions, config: Config): CheckedIngest {
  const named = classify(options.source, {
    account: options.account,
    endpoint: options.endpoint ?? config.client?.s3?.endpoint,
    sshKey: options.sshKey,
    hostKey: options.hostKey,
    region: options.region ?? config.client?.s3?.region,
    s3Keys: config.client?.s3?.keys,
  });
  const convert = options.convert ?? true;
  const sensor = checkSensor(options.sensor);
  const fields = {
    name: options.name ?? nameOf(named),
    user_email: options.email ?? config.client?.email ?? localEmail(),
    sensor,
    convert: String(convert),
    is_public: String(options.public ?? false),
    ...given('folder', options.folder),
    ...given('team_uuid', options.team),
    ...given('tags', options.tags),
    ...given('output', options.output),
    ...given('duplicates', options.duplicates === 'keep' ? undefined : options.duplicates),
    ...given('unpack_nested', options.unpackNested === true ? 'true' : undefined),
    ...given('keep_archives', options.keepArchives === false ? 'false' : undefined),
    ...given('publish_to', options.publishTo),
    parameters: JSON.stringify(options.parameters ?? {}),
  };
  const checked = newDatasetUploadSchema.safeParse(fields);
  if (checked.success) {
    checkParameters(sensor, convert, { ...options.parameters, ...given('output', options.output) });
    return { named, fields };
  }
  const mistakes = checked.error.issues.map(
    ({ path, message }) => `${optionOf(String(path[0]))}: ${message}`,
  );
  throw usage(mistakes.join('; '), 'See `sluice ingest --help`.');
}

/** @throws CliError (exit 2) naming the parameter */
function checkParameters(sensor: Sensor, convert: boolean, parameters: Record<string, unknown>): void {
  try {
    parametersOf(formatOf(sensor, convert), parameters);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw usage(`--param: ${error.message}`, 'See `sluice sensors`.');
  }
}

/** @throws CliError (exit 2) listing the sensors */
function checkSensor(text: string): Sensor {
  const sensor = SENSORS.find((known) => known === (SENSOR_ALIASES[text] ?? text));
  const close = SENSORS.find((known) => known.toLowerCase() === text.trim().toLowerCase());
  if (sensor === undefined) {
    const hint = close === undefined ? '' : ` Did you mean ${JSON.stringify(close)}?`;
    throw usage(`--sensor: ${JSON.stringify(text)} is not known.${hint}`, `Use one of: ${listOf(SENSORS)}.`);
  }
  return sensor;
}

const listOf = (words: readonly string[]): string =>
  words.map((word) => (word.includes(' ') ? `"${word}"` : word)).join(', ');

/** `key=value`; a value that reads as JSON is taken as such, anything else is text. @throws CliError (exit 2) */
export function addParameter(
  text: string,
  before: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const [, key, value = ''] = /^([A-Za-z_][\w.-]*)=(.*)$/s.exec(text) ?? [];
  if (key === undefined) {
    throw usage(
      `--param: ${JSON.stringify(text)} is not of the form key=value.`,
      'For example --param variable=temperature.',
    );
  }
  if (Object.hasOwn(before, key)) throw usage(`--param: ${key} is given twice.`);
  return { ...before, [key]: readValue(value) };
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const OPTION_OF_FIELD: Readonly<Record<string, string>> = {
  user_email: '--email',
  team_uuid: '--team',
  is_public: '--public',
  parameters: '--param',
  publish_to: '--publish-to',
};
const optionOf = (field: string): string => OPTION_OF_FIELD[field] ?? `--${field}`;

const nameOf = (named: Named): string =>
  named.kind === 'path' ? basename(resolve(named.path)) || 'files' : named.name;

/** An address that every check takes, for people who gave none. */
export function localEmail(user = userName()): string {
  const safe = user
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `${safe || 'user'}@localhost.localdomain`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry (containers).
    return 'user';
  }
}

const given = (field: string, value: string | undefined): DatasetFields =>
  value === undefined ? {} : { [field]: value };
