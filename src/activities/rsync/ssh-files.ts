// What ssh is told for a run of rsync: everything by file, so that no text from outside stands among its arguments.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RsyncAddress } from '../../contracts/rsync-address.js';

/** Two keys are needed: ours, and that of the host. */
export interface SshAccess {
  /** The text of a private key, without a passphrase. */
  privateKey(): Promise<string>;
  /** `type base64`; left out: what stands in `knownHosts`. */
  readonly hostKey?: string | undefined;
  /** The text of known_hosts. */
  knownHosts(): Promise<string>;
}

const NAMES = ['key', 'known_hosts', 'ssh_config'];

/** The key lies there for the child's life only. */
export async function writeSshFiles(
  { host, port: at, user, ssh }: Pick<RsyncAddress, 'host' | 'port' | 'user'> & { readonly ssh: SshAccess },
  { place, port }: { readonly place: string; readonly port: number },
): Promise<void> {
  const alias = at === 22 ? host : `[${host}]:${at}`;
  const key = await ssh.privateKey();
  const known = ssh.hostKey === undefined ? await ssh.knownHosts() : `${alias} ${ssh.hostKey}`;
  const options = {
    ...OPTIONS,
    HostKeyAlias: alias,
    Port: String(port),
    ...(user === undefined ? {} : { User: user }),
  };
  const lines = Object.entries(options).map(([name, value]) => `${name} ${value}\n`);
  const files = {
    key: key.replace(/\r\n/g, '\n').replace(/\n*$/, '\n'),
    known_hosts: `${known}\n`,
    ssh_config: lines.join(''),
  };
  for (const [name, content] of Object.entries(files)) {
    await rm(join(place, name), { force: true });
    await writeFile(join(place, name), content, { mode: 0o600, flag: 'wx' });
  }
}

export async function removeSshFiles(place: string): Promise<void> {
  await Promise.all(NAMES.map((name) => rm(join(place, name), { force: true })));
}

/** Relative names are taken from the working directory. */
const OPTIONS = {
  HostName: '127.0.0.1',
  IdentityFile: 'key',
  IdentitiesOnly: 'yes',
  IdentityAgent: 'none',
  PreferredAuthentications: 'publickey',
  UserKnownHostsFile: 'known_hosts',
  GlobalKnownHostsFile: '/dev/null',
  StrictHostKeyChecking: 'yes',
  UpdateHostKeys: 'no',
  CheckHostIP: 'no',
  BatchMode: 'yes',
  ForwardAgent: 'no',
  ForwardX11: 'no',
  ClearAllForwardings: 'yes',
  PermitLocalCommand: 'no',
  ProxyCommand: 'none',
  ControlMaster: 'no',
  ControlPath: 'none',
  RequestTTY: 'no',
  EscapeChar: 'none',
  ConnectTimeout: '20',
  ServerAliveInterval: '15',
  ServerAliveCountMax: '4',
  LogLevel: 'ERROR',
} as const;
