// What the operator gives ssh: known_hosts, and private keys that requests may name. One directory, as ~/.ssh is one.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../bytes/disk-fault.js';
import { Fault } from '../domain/fault.js';

export interface SshDirectory {
  /**
   * The text of a private key.
   * @throws Fault `ssh_key_unknown`
   */
  key(name: string): Promise<string>;
  /** The text of known_hosts; empty when there is none. */
  knownHosts(): Promise<string>;
}

/** @param directory absolute; undefined: nothing is given */
export function openSshDirectory(directory: string | undefined): SshDirectory {
  const textOf = async (name: string): Promise<string | undefined> => {
    if (directory === undefined) return undefined;
    try {
      return await readFile(join(directory, name), 'utf8');
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'EISDIR', 'EACCES')) return undefined;
      throw error;
    }
  };
  return {
    async key(name) {
      const text = isKeyName(name) ? await textOf(name) : undefined;
      if (text?.includes('PRIVATE KEY-----') === true) return text;
      throw new Fault('ssh_key_unknown', `There is no private key ${JSON.stringify(name)} on this server.`);
    },
    knownHosts: async () => (await textOf('known_hosts')) ?? '',
  };
}

/** A plain file name; nothing that leads elsewhere. */
const isKeyName = (name: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}$/.test(name);
