// The file of SLUICE_TARGETS: the publish targets by name. Its secrets stand elsewhere: in variables or files it names.
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { type RsyncAddress, readRsyncAddress } from '../contracts/rsync-address.js';
import type { RsyncTarget, S3Target, Target } from '../contracts/targets.js';
import { faultOf } from '../domain/fault.js';
import type { Variables } from './sources.js';

const SETTING = 'SLUICE_TARGETS';
const SECRET_WORDS = 'must be {"env": "<variable>"} or {"file": "<path>"}: secrets do not stand in this file';

const text = z.string().min(1).max(1000);
const secret = z.union([z.strictObject({ env: text }), z.strictObject({ file: text })], {
  error: SECRET_WORDS,
});
type Reference = z.output<typeof secret>;
const webAddress = z.url({ protocol: /^https?$/, error: 'must be a web address' });
const url = webAddress.transform((value) => (value.endsWith('/') ? value : `${value}/`)).optional();

const s3 = z.strictObject({
  type: z.literal('s3'),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is no name of a bucket'),
  prefix: z
    .string()
    .max(500)
    .regex(/^[\w!.*'()/-]*$/, "may hold letters, digits and !-_.*'()/")
    .default('')
    .transform((value) => value.replace(/^\/+|\/+$/g, ''))
    .transform((value) => (value === '' ? '' : `${value}/`)),
  endpoint: webAddress.optional(),
  region: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'is no name of a region')
    .default('us-east-1'),
  path_style: z.boolean().optional(),
  access_key_id: secret,
  secret_access_key: secret,
  session_token: secret.optional(),
  url,
});
const rsync = z.strictObject({
  type: z.literal('rsync'),
  to: z.string().min(1).max(2048),
  password: secret.optional(),
  private_key: secret.optional(),
  host_key: z
    .string()
    .max(4096)
    .regex(/^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]{32,4000}={0,2}$/, 'must be a type and a base64 text')
    .optional(),
  url,
});
const directory = z.strictObject({
  type: z.literal('directory'),
  path: text.refine(isAbsolute, 'must be an absolute path').transform((value) => resolve(value)),
  url,
});
const target = z.discriminatedUnion('type', [s3, rsync, directory], {
  error: 'type must be s3, rsync or directory',
});
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** All targets of the file; every mistake is added to `problems`, and never repeats what might be a secret. */
export function readTargets(path: string, variables: Variables, problems: string[]): readonly Target[] {
  const found: Target[] = [];
  const tell = (where: string, why: string): void => {
    problems.push(`${SETTING}: ${where}: ${why}`);
  };
  for (const [name, value] of Object.entries(entriesOf(path, tell))) {
    if (!NAME.test(name)) tell(JSON.stringify(name), 'is no name (letters, digits, - and _, at most 63)');
    const parsed = target.safeParse(value);
    for (const { path: at, message } of parsed.error?.issues ?? []) tell([name, ...at].join('.'), message);
    if (!parsed.success) continue;
    const entry = { name, directory: dirname(path), variables, tell };
    const one = asTarget(entry, parsed.data);
    if (one !== undefined) found.push(one);
  }
  return found;
}

type Tell = (where: string, why: string) => void;

function entriesOf(path: string, tell: Tell): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below: a message of the parser would repeat some of the file.
  }
  tell(path, 'is not a JSON object that can be read');
  return {};
}

interface Entry {
  readonly name: string;
  /** Relative files are taken from here. */
  readonly directory: string;
  readonly variables: Variables;
  readonly tell: Tell;
}

/** What a reference stands for; what is missing is told. */
function reveal({ name, directory, variables, tell }: Entry, field: string, reference: Reference): string {
  const value = 'env' in reference ? variables[reference.env] : contentOf(resolve(directory, reference.file));
  if (value !== undefined && value !== '') return value;
  const what =
    'env' in reference ? `the variable ${reference.env} is not set` : `${reference.file} cannot be read`;
  tell(`${name}.${field}`, what);
  return '';
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function asTarget(entry: Entry, fields: z.output<typeof target>): Target | undefined {
  const found = placeOf(entry, fields);
  return found === undefined || fields.url === undefined ? found : { ...found, url: fields.url };
}

function placeOf(entry: Entry, fields: z.output<typeof target>): Target | undefined {
  switch (fields.type) {
    case 's3':
      return asS3(entry, fields);
    case 'rsync':
      return asRsync(entry, fields);
    case 'directory':
      return { kind: 'directory', name: entry.name, path: fields.path };
  }
}

function asS3(entry: Entry, fields: z.output<typeof s3>): S3Target {
  const { bucket, prefix, endpoint, region, path_style, session_token } = fields;
  const keys = {
    accessKeyId: reveal(entry, 'access_key_id', fields.access_key_id),
    secretAccessKey: reveal(entry, 'secret_access_key', fields.secret_access_key),
    ...(session_token === undefined ? {} : { sessionToken: reveal(entry, 'session_token', session_token) }),
  };
  return {
    kind: 's3',
    name: entry.name,
    bucket,
    prefix,
    region,
    // Stores other than AWS rarely have a name for each bucket.
    pathStyle: path_style ?? endpoint !== undefined,
    keys,
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

function asRsync(entry: Entry, fields: z.output<typeof rsync>): RsyncTarget | undefined {
  const { password, private_key, host_key: hostKey } = fields;
  const to = addressOf(entry, fields.to);
  if (to === undefined) return undefined;
  const problem = mixture(to.via, fields);
  if (problem !== undefined) entry.tell(entry.name, problem);
  return {
    kind: 'rsync',
    name: entry.name,
    ...to,
    // A product is a directory below it.
    path: to.path.replace(/(?<=.)\/+$/, ''),
    ...(password === undefined ? {} : { password: reveal(entry, 'password', password) }),
    ...(private_key === undefined ? {} : { privateKey: reveal(entry, 'private_key', private_key) }),
    ...(hostKey === undefined ? {} : { hostKey }),
  };
}

function addressOf({ name, tell }: Entry, address: string): RsyncAddress | undefined {
  try {
    const found = readRsyncAddress(address);
    if (found.password === undefined) return found;
    tell(`${name}.to`, 'holds a password; name it as password instead: secrets do not stand in this file');
  } catch (error) {
    tell(`${name}.to`, faultOf(error)?.message ?? 'cannot be read');
  }
  return undefined;
}

/** Each way has its own secrets; one for the other way would be ignored without a word. */
function mixture(via: RsyncAddress['via'], fields: z.output<typeof rsync>): string | undefined {
  const { password, private_key, host_key } = fields;
  const ofSsh = private_key !== undefined || host_key !== undefined;
  if (via === 'daemon') return ofSsh ? 'an rsync daemon takes a password, no keys' : undefined;
  if (password !== undefined) return 'over ssh a private_key is needed; passwords are not used';
  return private_key === undefined ? 'over ssh a private_key is needed' : undefined;
}
