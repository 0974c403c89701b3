// How people write where rsync is to look: rsync://, ssh://, host:path, host::module/path.
import { isIPv6 } from 'node:net';
import { posix } from 'node:path';
import { Fault } from '../domain/fault.js';

export interface RsyncAddress {
  readonly via: 'daemon' | 'ssh';
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  /** Of the daemon's user; must be sealed. */
  readonly password?: string;
  readonly path: string;
}

const USER = '[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}';
const HOST = '[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]{2,45}\\]';
const DAEMON = new RegExp(`^rsync://(?:(${USER})(?::([^@/]*))?@)?(${HOST})(?::(\\d{1,5}))?/+([^/].*)$`, 'is');
const MODULE = new RegExp(`^(?:(${USER})@)?(${HOST})::([^/].*)$`, 's');
const SSH = new RegExp(`^ssh://(?:(${USER})@)?(${HOST})(?::(\\d{1,5}))?(/.*)$`, 'is');
const PLACE = new RegExp(`^(?:(${USER})@)?(${HOST}):(?!//)(.+)$`, 's');
const PATH_BYTES = 1000;

/**
 * Takes it apart.
 * @throws Fault `invalid_field`; the text is not repeated, since it may hold a password
 */
export function readRsyncAddress(text: string): RsyncAddress {
  const address = daemonUrl(text) ?? daemonModule(text) ?? sshUrl(text) ?? sshPlace(text);
  if (address === undefined) {
    throw wrong('it is none of rsync://host/module/path, user@host:path and ssh://user@host:port/path');
  }
  if (address.port < 1 || address.port > 65_535) throw wrong('its port is not one of 1 to 65535');
  if (address.via === 'daemon' && address.path.split('/').includes('..')) throw wrong('its path holds ".."');
  if (isBadPath(address.path)) throw wrong('its path is empty, too long or holds control characters');
  return address;
}

/** Whether a text on the command line is meant as one; a plain `name:path` without a user may be a file's name. */
export function looksLikeRsync(text: string): boolean {
  return /^(rsync|ssh):\/\//i.test(text) || new RegExp(`^${USER}@(?:${HOST}):.`, 's').test(text);
}

function daemonUrl(text: string): RsyncAddress | undefined {
  const [whole, user, password, host = '', port, path = ''] = DAEMON.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const given = password === undefined || password === '' ? {} : { password: decoded(password) };
  return {
    via: 'daemon',
    host: bare(host),
    port: Number(port ?? 873),
    ...named(user),
    ...given,
    path: inModule(path),
  };
}

function daemonModule(text: string): RsyncAddress | undefined {
  const [whole, user, host = '', path = ''] = MODULE.exec(text) ?? [];
  if (whole === undefined) return undefined;
  return { via: 'daemon', host: bare(host), port: 873, ...named(user), path: inModule(path) };
}

function sshUrl(text: string): RsyncAddress | undefined {
  const [whole, user, host = '', port, path = ''] = SSH.exec(text) ?? [];
  if (whole === undefined) return undefined;
  return {
    via: 'ssh',
    host: bare(host),
    port: Number(port ?? 22),
    ...named(user),
    path: fromHome(path.replace(/^\/~\//, '~/')),
  };
}

function sshPlace(text: string): RsyncAddress | undefined {
  const [whole, user, host = '', path = ''] = PLACE.exec(text) ?? [];
  if (whole === undefined) return undefined;
  return { via: 'ssh', host: bare(host), port: 22, ...named(user), path: fromHome(path) };
}

/** Module and way, each part once divided. */
const inModule = (path: string): string => posix.normalize(path).replace(/\/+$/, '');
/** A relative path starts at home anyway, and no shell is there that would know the sign. */
const fromHome = (path: string): string => (path === '~' || path === '~/' ? '.' : path.replace(/^~\//, ''));
const named = (user: string | undefined): { user?: string } => (user === undefined ? {} : { user });
const bare = (host: string): string => {
  const plain = host.replace(/^\[|\]$/g, '');
  if (host.startsWith('[') && !isIPv6(plain)) throw wrong('its host is no IPv6 address');
  return plain.toLowerCase();
};
const isBadPath = (path: string): boolean =>
  path === '' || /\p{Cc}/u.test(path) || Buffer.byteLength(path) > PATH_BYTES;
const wrong = (why: string): Fault => new Fault('invalid_field', `The rsync address cannot be used: ${why}.`);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
