// The schema of every setting: its variable, how its text is read, and what is wrong with it.
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const text = z.string().min(1);
const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number, 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port number, 0 to 65535');
const count = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'must be a whole number of at least 1')
  .transform(Number);
const countOrNone = z
  .string()
  .regex(/^\d{1,10}$/, 'must be a whole number; 0 = no limit')
  .transform(Number);
const milliseconds = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number of milliseconds')
  .transform(Number);
const bytes = z
  .string()
  .regex(
    /^\d{1,15}\s?(KiB|MiB|GiB|TiB)?$/,
    'must be a number of bytes, or a number with KiB, MiB, GiB or TiB',
  )
  .transform((value) => Number.parseInt(value, 10) * (UNITS[value.replace(/[\d\s]/g, '')] ?? 1))
  .refine(Number.isSafeInteger, 'is too large');
const list = text.transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const flag = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .transform((value) => value === 'true' || value === '1');

/** Schema of all variables; relative paths are taken from `cwd`. */
export function settingsSchema(cwd: string) {
  const path = text.transform((value) => resolve(cwd, value));
  const file = path.refine(isFile, 'must name a file that exists');
  return z.object({
    ...servers({ path, file }),
    ...places({ path, file }, cwd),
    ...worker({ path, file }),
    ...client,
    ...limits,
    SLUICE_LOG_LEVEL: z
      .enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')
      .default('info'),
  });
}
export type Settings = z.output<ReturnType<typeof settingsSchema>>;

interface Paths {
  readonly path: z.ZodType<string, string>;
  readonly file: z.ZodType<string, string>;
}

const servers = ({ path, file }: Paths) => ({
  SLUICE_HOME: path.optional(),
  SLUICE_CACHE: path.optional(),
  HOST: text.refine(isLoopback, HOST_REFUSED).default('127.0.0.1'),
  PORT: port.default(5000),
  SLUICE_TEMPORAL_PORT: port.default(7233),
  SLUICE_TEMPORAL_UI_PORT: port.default(8233),
  SLUICE_TEMPORAL_UI_URL: z.url({ protocol: /^https?$/, error: 'must be a web address' }).optional(),
  SLUICE_MONGO_PORT: port.default(27017),
  TEMPORAL_ADDRESS: text
    .regex(/^[^\s:/]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i, 'must be host:port')
    .optional(),
  TEMPORAL_NAMESPACE: text.default('default'),
  TEMPORAL_API_KEY: text.optional(),
  TEMPORAL_TLS: flag.optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: file.optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: file.optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: file.optional(),
  TEMPORAL_TLS_SERVER_NAME: text.optional(),
  MONGO_URL: text.regex(/^mongodb(\+srv)?:\/\//, 'must start with mongodb:// or mongodb+srv://').optional(),
  DB_NAME: text.regex(/^[^/\\. "$*<>:|?]{1,63}$/, 'is no valid database name').default('scientistcloud'),
});

const places = ({ path, file }: Paths, cwd: string) => ({
  JOB_IN_DATA_DIR: path.optional(),
  JOB_OUT_DATA_DIR: path.optional(),
  VISUS_DATASETS: path.optional(),
  SLUICE_LOCAL_ROOTS: text
    .transform((value) => value.split(':').filter((item) => item !== ''))
    .refine((roots) => roots.every((root) => isAbsolute(root)), 'must hold absolute paths, divided by ":"')
    .default([]),
  SLUICE_URL_ALLOW: list.default([]),
  SLUICE_GOOGLE_API: z
    .url({ protocol: /^https?$/, error: 'must be a web address' })
    .transform((value) => (value.endsWith('/') ? value : `${value}/`))
    .optional(),
  SLUICE_GOOGLE_TOKENS: z.url({ protocol: /^https?$/, error: 'must be a web address' }).optional(),
  SLUICE_GOOGLE_ACCOUNTS: googleAccounts(cwd).default([]),
  SLUICE_RCLONE_CONFIG: file.optional(),
  SLUICE_RCLONE_CONFIG_PASS: text.optional(),
  SLUICE_TARGETS: file.optional(),
  SLUICE_SSH_DIR: path.refine(isDirectory, 'must name a directory that exists').optional(),
});

const worker = ({ path, file }: Paths) => ({
  SLUICE_QUEUES: list
    .pipe(z.array(z.enum(['control', 'transfer', 'compute'], 'knows control, transfer and compute')).min(1))
    .default(['control', 'transfer', 'compute']),
  SLUICE_COMPUTE_SLOTS: count.optional(),
  SLUICE_TRANSFER_SLOTS: count.default(16),
  SLUICE_PYTHON: path.optional(),
  SLUICE_TEMPORAL_BIN: file.optional(),
  SLUICE_MONGOD_BIN: file.optional(),
  SLUICE_RCLONE_BIN: file.optional(),
});

const client = {
  SLUICE_URL: z.url({ protocol: /^https?$/, error: 'must be a web address' }).optional(),
  SLUICE_EMAIL: z.email('must be an e-mail address').max(254).optional(),
  AWS_ACCESS_KEY_ID: text.optional(),
  AWS_SECRET_ACCESS_KEY: text.optional(),
  AWS_SESSION_TOKEN: text.optional(),
  AWS_REGION: text.optional(),
  AWS_ENDPOINT_URL: text.optional(),
};

const limits = {
  SLUICE_QUIET_MS: milliseconds.default(10_000),
  SLUICE_MAX_UPLOAD_BYTES: bytes.default(2 ** 40),
  SLUICE_MAX_FILE_BYTES: bytes.default(10 * 2 ** 40),
  SLUICE_CHUNK_BYTES: bytes
    .refine((value) => value >= 1024 && value <= 2 ** 30, 'must be at least 1 KiB and at most 1 GiB')
    .default(104_857_600),
  SLUICE_UPLOAD_EXPIRY_MS: milliseconds.default(86_400_000),
  SLUICE_CHUNK_EXPIRY_MS: milliseconds.default(7 * 86_400_000),
  SLUICE_EXTRACT_BYTES: bytes.default(2 ** 40),
  SLUICE_EXTRACT_RATIO: count.default(200),
  SLUICE_EXTRACT_ENTRIES: count.default(1_000_000),
  SLUICE_EXTRACT_DEPTH: count.default(64),
  SLUICE_CONVERTER_BYTES: bytes.default(4 * 2 ** 30),
  SLUICE_OWNER_OPEN_JOBS: countOrNone.default(20_000),
  SLUICE_OWNER_OPEN_UPLOADS: countOrNone.default(1_000),
  SLUICE_OWNER_OPEN_BYTES: bytes.default(0),
  SLUICE_OWNER_STORED_BYTES: bytes.default(0),
  SLUICE_OWNER_TRANSFERS: countOrNone.optional(),
  SLUICE_OWNER_CONVERSIONS: countOrNone.default(0),
  SLUICE_NEW_KEYS: flag.optional(),
};

const HOST_REFUSED =
  'must be 127.0.0.1, ::1 or localhost: this version has no authentication, so it must not be reachable from outside; ' +
  'put it behind a tunnel (ssh -L 5000:127.0.0.1:5000) instead';

/** Directories of key files, key files, and `name=path`. */
function googleAccounts(cwd: string) {
  return list
    .transform((items) => items.map((item) => googleAccount(item, cwd)))
    .refine(
      (items) => items.every(({ name, path }) => name === undefined || isFile(path)),
      'has a name=path whose path is no file',
    )
    .refine(
      (items) => items.every(({ path }) => existsSync(path)),
      'must hold directories of key files, key files, or name=path, divided by commas',
    );
}

function googleAccount(item: string, cwd: string): { name?: string; path: string } {
  const [, name, path] = /^([\w.@-]{1,100})=(.+)$/.exec(item) ?? [];
  if (name === undefined || path === undefined) return { path: resolve(cwd, item) };
  return { name, path: resolve(cwd, path) };
}

function isLoopback(host: string): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(host);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
