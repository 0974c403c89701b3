// Which URLs may be fetched: http(s), public addresses, and what the operator allowed. Checked on the URL and again
// when a connection is made, after name resolution, so that a name cannot point elsewhere in between.

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { lookup as resolve } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP, type LookupFunction, type Socket, connect as tcpConnect } from 'node:net';
import ipaddr from 'ipaddr.js';
import { buildConnector } from 'undici';
import { Fault } from '../domain/fault.js';

export interface UrlGuard {
  /**
   * Refuses what can be seen on the URL itself; call it on every redirect as well.
   * @throws Fault `url_forbidden` (names the host only), `invalid_field` for text that is no http(s) URL
   */
  check(url: string | URL): URL;
  /** Connects only to addresses that are allowed; for an undici Agent. */
  readonly connector: buildConnector.connector;
  /**
   * The addresses of the URL's host that may be connected to.
   * @throws Fault `url_forbidden`; the system's error when the name is not known
   */
  addresses(url: URL): Promise<readonly LookupAddress[]>;
  /**
   * The same for a host that is named without a URL (IPv6 without brackets).
   * @throws Fault `url_forbidden`
   */
  checkHost(host: string, port: number): void;
  /**
   * A TCP connection to an address of the host that is allowed.
   * @throws Fault `url_forbidden`; the system's error when it cannot be made; the signal's reason
   */
  connect(host: string, port: number, signal: AbortSignal): Promise<Socket>;
}

type Block = ReturnType<typeof ipaddr.parseCIDR>;

/**
 * @param allow hosts (`name` or `name:port`) and CIDR blocks that may be reached although they are not public
 * @param connectTimeoutMs how long one connection may take to be made
 */
export function createUrlGuard(allow: readonly string[], connectTimeoutMs = 10_000): UrlGuard {
  const blocks = allow.filter((one) => ipaddr.isValidCIDR(one)).map((one) => ipaddr.parseCIDR(one));
  const names = new Set(allow.filter((one) => !ipaddr.isValidCIDR(one)).map((one) => one.toLowerCase()));
  const named = (host: string, port: string): boolean => names.has(host) || names.has(`${host}:${port}`);
  const mayReach = (address: string): boolean => isAllowedAddress(address, blocks);

  const free = buildConnector({ timeout: connectTimeoutMs });
  const guarded = buildConnector({ timeout: connectTimeoutMs, lookup: guardedLookup(mayReach) });

  const isFree = (host: string, port: number): boolean => named(hostName(host), String(port));
  const checkHost = (host: string, port: number): void => {
    if (!isFree(host, port) && isIP(host) !== 0 && !mayReach(host)) throw forbidden(host);
  };

  return {
    checkHost,

    async addresses(url) {
      const host = bareHost(url.hostname);
      const free = named(hostName(url.hostname), portOf(url));
      const kind = isIP(host);
      if (kind !== 0 && !free && !mayReach(host)) throw forbidden(host);
      if (kind !== 0) return [{ address: host, family: kind }];
      const found = await resolve(host, { all: true });
      const open = free ? found : found.filter(({ address }) => mayReach(address));
      if (open.length === 0) throw forbidden(host);
      return open;
    },

    async connect(host, port, signal) {
      checkHost(host, port);
      const lookup = isFree(host, port) ? {} : { lookup: guardedLookup(mayReach) };
      const options = { host, port, allowHalfOpen: true, ...lookup };
      return await connected(tcpConnect(options), connectTimeoutMs, signal);
    },

    check(text) {
      const url = parseHttpUrl(text);
      const host = bareHost(url.hostname);
      if (named(hostName(url.hostname), portOf(url)) || isIP(host) === 0 || mayReach(host)) return url;
      throw forbidden(host);
    },

    connector(options, callback) {
      const host = bareHost(options.hostname);
      const port = options.port === '' ? defaultPort(options.protocol) : options.port;
      if (named(hostName(options.hostname), port)) {
        free(options, callback);
      } else if (isIP(host) !== 0 && !mayReach(host)) {
        // No look-up happens for an address, so it is checked here.
        callback(forbidden(host), null);
      } else {
        guarded(options, callback);
      }
    },
  };
}

async function connected(socket: Socket, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, limit]) });
    return socket.setNoDelay(true);
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    signal.throwIfAborted();
    throw limit.aborted ? limit.reason : error;
  }
}

/** Whether the address is public (or in one of the blocks). IPv4 inside IPv6 counts as that IPv4 address. */
export function isAllowedAddress(address: string, blocks: readonly Block[] = []): boolean {
  if (!ipaddr.isValid(address)) return false;
  const plain = ipaddr.process(address);
  if (blocks.some(([net, bits]) => net.kind() === plain.kind() && plain.match(net, bits))) return true;
  return plain.range() === 'unicast';
}

/** Looks a name up and keeps the addresses that may be reached; none left = forbidden. */
function guardedLookup(mayReach: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    systemLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return void callback(error, '');
      const open = addresses.filter(({ address }) => mayReach(address));
      const [first] = open;
      if (first === undefined) return void callback(forbidden(hostname), '');
      if (options.all === true) callback(null, open);
      else callback(null, first.address, first.family);
    });
  };
}

function parseHttpUrl(text: string | URL): URL {
  const url = URL.canParse(String(text)) ? new URL(text) : undefined;
  // The text is not repeated: it may hold a password.
  if (url === undefined) throw new Fault('invalid_field', 'The URL cannot be read.');
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new Fault(
    'invalid_field',
    `A URL with ${JSON.stringify(url.protocol)} cannot be fetched, only http and https.`,
  );
}

const forbidden = (host: string): Fault =>
  new Fault('url_forbidden', `The host ${host} is not one that this server may fetch from.`);
const bareHost = (host: string): string => host.replace(/^\[|\]$/g, '');
/** As it stands in a URL: lower case, IPv6 in brackets. */
const hostName = (host: string): string => {
  const bare = bareHost(host).toLowerCase();
  return isIP(bare) === 6 ? `[${bare}]` : bare;
};
const defaultPort = (protocol: string): string => (protocol === 'https:' ? '443' : '80');
const portOf = (url: URL): string => (url.port === '' ? defaultPort(url.protocol) : url.port);
