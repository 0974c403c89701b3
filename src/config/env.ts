// The only reader of process.env: parses every setting, reports all mistakes at once, hands down one frozen record.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.js';
import { type Settings, settingsSchema } from './settings.js';
import { gatherVariables, type Variables } from './sources.js';
import { readTargets } from './targets.js';

/** Settings with mistakes; each problem starts with the name of its variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the settings have ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:
${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * The settings of this process.
 * @throws ConfigError naming every mistake
 */
export function loadConfig(source: Variables = process.env, cwd: string = process.cwd()): Config {
  const problems: string[] = [];
  const variables = gatherVariables(source, cwd, problems);
  const parsed = settingsSchema(cwd).safeParse(variables);
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`));
    throw new ConfigError(problems);
  }
  const config = { ...assemble(parsed.data, cwd), ...targetSettings(parsed.data, variables, problems) };
  problems.push(...contradictions(config, parsed.data));
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(config);
}

/** The environment for a child process that we start: ours, with the given changes on top. */
export function childEnvironment(changes: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(own), ...changes };
}

/** The project's own directory (where package.json, converters/ and scripts/ lie), from sources and from dist/. */
export const PROJECT_ROOT = projectRoot();

function assemble(settings: Settings, cwd: string): Config {
  const home = settings.SLUICE_HOME ?? join(cwd, '.sluice');
  const cache = settings.SLUICE_CACHE ?? join(homedir(), '.cache', 'sluice');
  const data = settings.VISUS_DATASETS ?? join(home, 'data');
  return {
    home,
    cache,
    api: { host: settings.HOST, port: settings.PORT },
    temporal: temporalSettings(settings),
    mongo: {
      ...optional('url', settings.MONGO_URL),
      db: settings.DB_NAME,
      port: settings.SLUICE_MONGO_PORT,
    },
    dirs: {
      in: settings.JOB_IN_DATA_DIR ?? join(data, 'upload'),
      out: settings.JOB_OUT_DATA_DIR ?? join(data, 'converted'),
    },
    localRoots: settings.SLUICE_LOCAL_ROOTS,
    urlAllow: settings.SLUICE_URL_ALLOW,
    google: {
      ...optional('root', settings.SLUICE_GOOGLE_API),
      ...optional('tokens', settings.SLUICE_GOOGLE_TOKENS),
    },
    googleAccounts: settings.SLUICE_GOOGLE_ACCOUNTS,
    ...optional('sshDir', settings.SLUICE_SSH_DIR),
    ...optional('rclone', rcloneSettings(settings)),
    worker: {
      queues: settings.SLUICE_QUEUES,
      computeSlots: settings.SLUICE_COMPUTE_SLOTS ?? Math.max(1, Math.floor(availableParallelism() / 2)),
      transferSlots: settings.SLUICE_TRANSFER_SLOTS,
    },
    python: settings.SLUICE_PYTHON ?? defaultPython(cache),
    tools: {
      ...optional('temporal', settings.SLUICE_TEMPORAL_BIN),
      ...optional('mongod', settings.SLUICE_MONGOD_BIN),
      ...optional('python', settings.SLUICE_PYTHON),
      ...optional('rclone', settings.SLUICE_RCLONE_BIN),
    },
    limits: limitSettings(settings),
    owners: ownerSettings(settings),
    client: {
      ...optional('url', settings.SLUICE_URL),
      ...optional('email', settings.SLUICE_EMAIL),
      s3: s3Settings(settings),
    },
    ...optional('newKeys', settings.SLUICE_NEW_KEYS),
    quietMs: settings.SLUICE_QUIET_MS,
    logLevel: settings.SLUICE_LOG_LEVEL,
  };
}

function targetSettings({ SLUICE_TARGETS: file }: Settings, variables: Variables, problems: string[]) {
  return file === undefined ? {} : { targets: readTargets(file, variables, problems) };
}

const limitSettings = (settings: Settings): Config['limits'] => ({
  uploadBytes: settings.SLUICE_MAX_UPLOAD_BYTES,
  fileBytes: settings.SLUICE_MAX_FILE_BYTES,
  chunkBytes: settings.SLUICE_CHUNK_BYTES,
  uploadExpiryMs: settings.SLUICE_UPLOAD_EXPIRY_MS,
  chunkExpiryMs: settings.SLUICE_CHUNK_EXPIRY_MS,
  extractBytes: settings.SLUICE_EXTRACT_BYTES,
  extractRatio: settings.SLUICE_EXTRACT_RATIO,
  extractEntries: settings.SLUICE_EXTRACT_ENTRIES,
  extractDepth: settings.SLUICE_EXTRACT_DEPTH,
  converterBytes: settings.SLUICE_CONVERTER_BYTES,
});

const ownerSettings = (settings: Settings): NonNullable<Config['owners']> => ({
  open_jobs: settings.SLUICE_OWNER_OPEN_JOBS,
  open_uploads: settings.SLUICE_OWNER_OPEN_UPLOADS,
  open_bytes: settings.SLUICE_OWNER_OPEN_BYTES,
  stored_bytes: settings.SLUICE_OWNER_STORED_BYTES,
  conversions: settings.SLUICE_OWNER_CONVERSIONS,
  // The rest of a worker's slots is left to others.
  transfers:
    settings.SLUICE_OWNER_TRANSFERS ?? Math.max(1, Math.floor(settings.SLUICE_TRANSFER_SLOTS * 0.75)),
});

function s3Settings(settings: Settings): NonNullable<NonNullable<Config['client']>['s3']> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = settings;
  const keys =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...optional('sessionToken', settings.AWS_SESSION_TOKEN) };
  return {
    ...optional('endpoint', settings.AWS_ENDPOINT_URL),
    ...optional('region', settings.AWS_REGION),
    ...optional('keys', keys),
  };
}

function temporalSettings(settings: Settings): Config['temporal'] {
  const tls = {
    ...optional('certFile', settings.TEMPORAL_TLS_CLIENT_CERT_PATH),
    ...optional('keyFile', settings.TEMPORAL_TLS_CLIENT_KEY_PATH),
    ...optional('caFile', settings.TEMPORAL_TLS_SERVER_CA_CERT_PATH),
    ...optional('serverName', settings.TEMPORAL_TLS_SERVER_NAME),
  };
  const encrypted = settings.TEMPORAL_TLS ?? Object.keys(tls).length > 0;
  return {
    ...optional('address', settings.TEMPORAL_ADDRESS),
    namespace: settings.TEMPORAL_NAMESPACE,
    ...optional('apiKey', settings.TEMPORAL_API_KEY),
    ...(encrypted ? { tls } : {}),
    port: settings.SLUICE_TEMPORAL_PORT,
    uiPort: settings.SLUICE_TEMPORAL_UI_PORT,
    uiUrl: settings.SLUICE_TEMPORAL_UI_URL ?? `http://127.0.0.1:${settings.SLUICE_TEMPORAL_UI_PORT}`,
  };
}

function rcloneSettings(settings: Settings): Config['rclone'] {
  const { SLUICE_RCLONE_CONFIG: config, SLUICE_RCLONE_CONFIG_PASS: password } = settings;
  return config === undefined ? undefined : { config, ...optional('password', password) };
}

function contradictions(config: Config, settings: Settings): string[] {
  const problems: string[] = [];
  const both = (a: string | undefined, b: string | undefined) => (a === undefined) === (b === undefined);
  if (!both(settings.TEMPORAL_TLS_CLIENT_CERT_PATH, settings.TEMPORAL_TLS_CLIENT_KEY_PATH)) {
    problems.push(
      'TEMPORAL_TLS_CLIENT_CERT_PATH: needs TEMPORAL_TLS_CLIENT_KEY_PATH, and the other way round',
    );
  }
  if (overlap(config.dirs.in, config.dirs.out)) {
    problems.push('JOB_OUT_DATA_DIR: must lie neither in JOB_IN_DATA_DIR nor around it');
  }
  for (const one of config.targets ?? [])
    if (one.kind === 'directory' && Object.values(config.dirs).some((dir) => overlap(dir, one.path)))
      problems.push(
        `SLUICE_TARGETS: ${one.name}.path: must lie neither in a directory of Sluice nor around it`,
      );
  return problems.concat(sharedPorts(settings));
}

function sharedPorts(settings: Settings): string[] {
  const taken = new Map<number, string>();
  const problems: string[] = [];
  for (const name of [
    'PORT',
    'SLUICE_TEMPORAL_PORT',
    'SLUICE_TEMPORAL_UI_PORT',
    'SLUICE_MONGO_PORT',
  ] as const) {
    const port = settings[name];
    const other = taken.get(port);
    if (port !== 0 && other !== undefined)
      problems.push(`${name}: is ${port} as ${other} is; give each its own`);
    taken.set(port, name);
  }
  return problems;
}

function overlap(a: string, b: string): boolean {
  const inside = (from: string, to: string) => !relative(from, to).startsWith('..');
  return inside(a, b) || inside(b, a);
}

/** The environment that provisioning makes for the pinned requirements (scripts/tools.mjs builds the same name). */
function defaultPython(cache: string): string {
  const requirements = join(PROJECT_ROOT, 'converters', 'requirements.txt');
  if (!existsSync(requirements)) return 'python3';
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  return join(cache, `python-${hash}`, 'bin', 'python');
}

function projectRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'package.json')) && dirname(at) !== at) at = dirname(at);
  return at;
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
