// Service accounts of Google that the operator configured, by name: a request names one, never a file of this server.
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { Fault } from '../domain/fault.js';

/** One item of SLUICE_GOOGLE_ACCOUNTS: a key file under a name, or (without one) a directory of key files or a key file. */
export interface GoogleAccountsItem {
  readonly name?: string;
  /** Absolute. */
  readonly path: string;
}

/** What a key file says. `key` is the private key in PEM: it goes nowhere but into signatures. */
export interface GoogleKey {
  readonly email: string;
  readonly key: string;
  readonly keyId?: string;
}

export interface GoogleAccounts {
  /** All names, sorted. Key files may come and go while the server runs. */
  names(): Promise<readonly string[]>;
  /** @throws Fault `google_account_unknown`; `google_account_broken` when its file is no key that can be read */
  key(name: string): Promise<GoogleKey>;
  /** The account whose key file a path leads to; undefined when it leads elsewhere or nowhere. */
  nameOfPath(path: string): Promise<string | undefined>;
}

export function openGoogleAccounts(items: readonly GoogleAccountsItem[]): GoogleAccounts {
  const find = async (name: string): Promise<string> => {
    const all = await keyFiles(items);
    const path = all.get(name);
    if (path !== undefined) return path;
    throw unknown(JSON.stringify(name.slice(0, 100)), [...all.keys()]);
  };
  return {
    names: async () => [...(await keyFiles(items)).keys()].sort(),
    key: async (name) => readKey(name, await find(name)),
    async nameOfPath(path) {
      const real = await realOrNothing(path);
      if (real === undefined) return undefined;
      for (const [name, file] of await keyFiles(items)) {
        if ((await realOrNothing(file)) === real) return name;
      }
      return undefined;
    },
  };
}

function unknown(name: string, names: string[]): Fault {
  const known = names.length === 0 ? 'It has none' : `It has ${names.sort().slice(0, 10).join(', ')}`;
  return new Fault(
    'google_account_unknown',
    `This server has no service account of the name ${name}. ${known}.`,
  );
}

/** Paths by name. The first item that gives a name keeps it. */
async function keyFiles(items: readonly GoogleAccountsItem[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const item of items) {
    for (const [name, path] of await filesOf(item)) if (!found.has(name)) found.set(name, path);
  }
  return found;
}

async function filesOf({ name, path }: GoogleAccountsItem): Promise<[string, string][]> {
  if (name !== undefined) return [[name, path]];
  const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  if (!isDirectory) return [[nameOf(path), path]];
  const entries = await readdir(path).catch(() => []);
  return entries
    .filter((entry) => entry.endsWith('.json') && !entry.startsWith('.'))
    .sort()
    .map((entry) => [nameOf(entry), join(path, entry)]);
}

const nameOf = (path: string): string => basename(path, '.json');

const keySchema = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(3),
  private_key: z.string().includes('PRIVATE KEY'),
  private_key_id: z.string().optional(),
});

/** Nothing of the file is repeated in a message, not even where it is wrong. */
async function readKey(name: string, path: string): Promise<GoogleKey> {
  const broken = (why: string): Fault =>
    new Fault('google_account_broken', `The key file of the service account ${name} ${why}.`);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) throw broken('cannot be read');
  const parsed = keySchema.safeParse(jsonOrNothing(text));
  if (!parsed.success) throw broken('is no key of a service account');
  const { client_email: email, private_key: key, private_key_id: keyId } = parsed.data;
  return { email, key, ...(keyId === undefined ? {} : { keyId }) };
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const realOrNothing = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
