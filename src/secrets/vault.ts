// Secrets of sources, encrypted at rest: AES-256-GCM, bound to their job, under a key of the ring in the home directory.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno } from '../bytes/disk-fault.js';
import { writeFileAtomic } from '../bytes/json-file.js';
import { keys, pathOf, type Roots } from '../bytes/layout.js';
import { Fault } from '../domain/fault.js';

export interface Vault {
  /** Stores the secret of a job; replaces an earlier one. */
  seal(jobId: string, secret: object): Promise<void>;
  /**
   * The secret of a job, or undefined when there is none (any more).
   * @throws Fault `internal` when the keys of this server do not open it
   */
  open<T extends object>(jobId: string): Promise<T | undefined>;
  /** Removes it; nothing there is no error. */
  forget(jobId: string): Promise<void>;
}

/** The ring: `current` seals, every key opens. Values are 32 bytes in base64. */
interface KeyRing {
  readonly current: string;
  readonly keys: Readonly<Record<string, string>>;
}

interface Sealed {
  readonly key: string;
  readonly iv: string;
  readonly tag: string;
  readonly data: string;
}

/** The vault of this installation. The key ring `<home>/keys.json` (mode 0600) is made at first use. */
export function openVault(home: string, roots: Roots): Vault {
  const ringFile = ringFileOf(home);
  let ring: Promise<KeyRing> | undefined;
  const keyRing = (): Promise<KeyRing> => {
    ring ??= loadRing(ringFile).catch((error: unknown) => {
      ring = undefined;
      throw error;
    });
    return ring;
  };
  const path = (jobId: string): string => pathOf(roots, 'in', keys.secret(jobId));

  return {
    async seal(jobId, secret) {
      const sealed = encrypt(await keyRing(), jobId, JSON.stringify(secret));
      await writeFileAtomic(path(jobId), JSON.stringify(sealed), 0o600);
    },

    async open<T extends object>(jobId: string) {
      const text = await textOf(path(jobId));
      return text === undefined ? undefined : (decrypt(await keyRing(), jobId, text) as T);
    },

    async forget(jobId) {
      await rm(path(jobId), { force: true });
    },
  };
}

/** Whether this home has a key ring. */
export const hasKeyRing = async (home: string): Promise<boolean> =>
  (await textOf(ringFileOf(home))) !== undefined;

/** A mark of each key in the ring, by its id: it tells the key from others, and nothing of it. Makes the ring if need be. */
export async function keyMarks(home: string): Promise<Readonly<Record<string, string>>> {
  const { keys } = await loadRing(ringFileOf(home));
  const mark = (key: string): string =>
    createHmac('sha256', Buffer.from(key, 'base64')).update('sluice key').digest('hex').slice(0, 32);
  return Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, mark(key)]));
}

const ringFileOf = (home: string): string => join(home, 'keys.json');

async function loadRing(file: string): Promise<KeyRing> {
  const text = (await textOf(file)) ?? (await makeRing(file));
  try {
    const ring = JSON.parse(text) as KeyRing;
    if (Buffer.from(ring.keys[ring.current] ?? '', 'base64').length === 32) return ring;
  } catch {
    // Told below, without the parser's message: it quotes the text.
  }
  throw new Fault('internal', `The key ring ${file} cannot be read.`);
}

/** Makes the ring unless another process is faster; tells what then stands in the file. */
async function makeRing(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  const id = randomBytes(4).toString('hex');
  const ring: KeyRing = { current: id, keys: { [id]: randomBytes(32).toString('base64') } };
  const temporary = `${file}.${id}.tmp`;
  await writeFile(temporary, `${JSON.stringify(ring)}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(temporary, file);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return await readFile(file, 'utf8');
}

function encrypt(ring: KeyRing, jobId: string, text: string): Sealed {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(ring, ring.current), iv);
  cipher.setAAD(Buffer.from(jobId));
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const words = (bytes: Buffer): string => bytes.toString('base64');
  return { key: ring.current, iv: words(iv), tag: words(cipher.getAuthTag()), data: words(data) };
}

function decrypt(ring: KeyRing, jobId: string, text: string): unknown {
  try {
    const sealed = JSON.parse(text) as Sealed;
    const bytes = (words: string): Buffer => Buffer.from(words, 'base64');
    const options = { authTagLength: 16 };
    const decipher = createDecipheriv('aes-256-gcm', keyOf(ring, sealed.key), bytes(sealed.iv), options);
    decipher.setAAD(Buffer.from(jobId));
    decipher.setAuthTag(bytes(sealed.tag));
    const plain = Buffer.concat([decipher.update(bytes(sealed.data)), decipher.final()]);
    return JSON.parse(plain.toString('utf8'));
  } catch {
    // The cause is left out on purpose: parsers quote what they read.
    throw new Fault(
      'internal',
      `The sealed secret of ${jobId} cannot be opened with the keys of this server.`,
    );
  }
}

function keyOf(ring: KeyRing, id: string): Buffer {
  return Buffer.from(ring.keys[id] ?? '', 'base64');
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
