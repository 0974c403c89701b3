// The settings as a person may read them: by variable, without secrets.
import { targetWords } from '../contracts/targets.js';
import type { Config } from './config.js';

/** Every setting by the name of its variable; passwords and keys are hidden. */
export function describeConfig(config: Config): Readonly<Record<string, string>> {
  const { temporal, mongo, worker, limits, owners = {} } = config;
  return {
    SLUICE_HOME: config.home,
    SLUICE_CACHE: config.cache,
    HOST: config.api.host,
    PORT: String(config.api.port),
    TEMPORAL_ADDRESS: temporal.address ?? `embedded on port ${temporal.port}`,
    TEMPORAL_NAMESPACE: temporal.namespace,
    TEMPORAL_API_KEY: temporal.apiKey === undefined ? 'none' : 'given (hidden)',
    TEMPORAL_TLS: describeTls(temporal.tls),
    'Temporal Web': temporal.uiUrl,
    MONGO_URL: mongo.url === undefined ? `embedded on port ${mongo.port}` : hidePassword(mongo.url),
    DB_NAME: mongo.db,
    JOB_IN_DATA_DIR: config.dirs.in,
    JOB_OUT_DATA_DIR: config.dirs.out,
    SLUICE_LOCAL_ROOTS: config.localRoots.join(':') || 'none',
    SLUICE_URL_ALLOW: config.urlAllow.join(',') || 'none',
    SLUICE_GOOGLE_ACCOUNTS:
      config.googleAccounts
        .map(({ name, path }) => (name === undefined ? path : `${name}=${path}`))
        .join(',') || 'none',
    SLUICE_GOOGLE_API: config.google.root ?? "Google's",
    SLUICE_GOOGLE_TOKENS: config.google.tokens ?? "Google's",
    SLUICE_TARGETS:
      config.targets?.map((one) => `${one.name} = ${targetWords(one)} (secrets hidden)`).join(', ') || 'none',
    SLUICE_SSH_DIR: config.sshDir ?? 'none',
    SLUICE_RCLONE_CONFIG: config.rclone?.config ?? 'none',
    SLUICE_RCLONE_CONFIG_PASS: config.rclone?.password === undefined ? 'none' : 'given (hidden)',
    SLUICE_QUEUES: worker.queues.join(','),
    SLUICE_COMPUTE_SLOTS: String(worker.computeSlots),
    SLUICE_TRANSFER_SLOTS: String(worker.transferSlots),
    SLUICE_PYTHON: config.python,
    SLUICE_URL:
      config.client?.url === undefined ? 'the server that runs here' : hidePassword(config.client.url),
    SLUICE_EMAIL: config.client?.email ?? 'none',
    AWS_ACCESS_KEY_ID: config.client?.s3?.keys === undefined ? 'none' : 'given (hidden)',
    AWS_REGION: config.client?.s3?.region ?? 'none',
    AWS_ENDPOINT_URL: config.client?.s3?.endpoint ?? 'none',
    SLUICE_QUIET_MS: String(config.quietMs),
    SLUICE_MAX_UPLOAD_BYTES: String(limits.uploadBytes),
    SLUICE_MAX_FILE_BYTES: String(limits.fileBytes),
    SLUICE_CHUNK_BYTES: String(limits.chunkBytes),
    SLUICE_UPLOAD_EXPIRY_MS: String(limits.uploadExpiryMs),
    SLUICE_CHUNK_EXPIRY_MS: String(limits.chunkExpiryMs),
    SLUICE_EXTRACT_BYTES: String(limits.extractBytes),
    SLUICE_EXTRACT_RATIO: String(limits.extractRatio),
    SLUICE_EXTRACT_ENTRIES: String(limits.extractEntries),
    SLUICE_EXTRACT_DEPTH: String(limits.extractDepth),
    SLUICE_CONVERTER_BYTES: limitWords(limits.converterBytes),
    SLUICE_OWNER_OPEN_JOBS: limitWords(owners.open_jobs),
    SLUICE_OWNER_OPEN_UPLOADS: limitWords(owners.open_uploads),
    SLUICE_OWNER_OPEN_BYTES: limitWords(owners.open_bytes),
    SLUICE_OWNER_STORED_BYTES: limitWords(owners.stored_bytes),
    SLUICE_OWNER_TRANSFERS: limitWords(owners.transfers),
    SLUICE_OWNER_CONVERSIONS: limitWords(owners.conversions),
    SLUICE_NEW_KEYS: String(config.newKeys ?? false),
    SLUICE_LOG_LEVEL: config.logLevel,
  };
}

const limitWords = (limit = 0): string => (limit === 0 ? 'no limit' : String(limit));

/** A connection string without its password and without options, which may hold secrets too. */
export function hidePassword(url: string): string {
  return url.replace(/\/\/([^:@]*):.*@/, '//$1:***@').replace(/\?.*$/, '?(options hidden)');
}

function describeTls(tls: Config['temporal']['tls']): string {
  if (tls === undefined) return 'off';
  const named = Object.entries(tls).map(([key, value]) => `${key} ${value}`);
  return ['on', ...named].join(', ');
}
