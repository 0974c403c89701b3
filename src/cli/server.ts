// The server that a command talks to: found, checked to be one of ours, waited for while it restarts.
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../client/api-error.js';
import { createClient, type SluiceClient } from '../client/client.js';
import { isWireError, within } from '../client/wire.js';
import type { Config } from '../config/config.js';
import { findRunning } from '../embedded/run-file.js';
import { CliError, EXIT, START_IT } from './exit.js';
import { backOff } from './resend.js';

const PROBE_MS = 5_000;
const CALL_MS = 30_000;
/** How long a server may stay away before a command gives up waiting. */
export const PATIENCE_MS = 120_000;

interface Place {
  readonly url: string;
  /** Supervised from this SLUICE_HOME: it sees the same disk. */
  readonly here: boolean;
}

export interface WaitOptions {
  /** Told once when the waiting begins. */
  readonly onWait?: (words: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export class Server {
  readonly here: boolean;
  readonly #find: () => Place | undefined;
  #client: SluiceClient;

  constructor(place: Place, find: () => Place | undefined) {
    this.here = place.here;
    this.#find = find;
    this.#client = createClient(place.url);
  }

  get client(): SluiceClient {
    return this.#client;
  }

  /** A restarted server may have another port. */
  relocate(): void {
    const place = this.#find();
    if (place === undefined || place.url === this.#client.baseUrl) return;
    void this.#client.close();
    this.#client = createClient(place.url);
  }

  /** One call. @throws ApiError, or the wire's error */
  async call<T>(work: (client: SluiceClient) => Promise<T>): Promise<T> {
    return await within(CALL_MS, work(this.#client));
  }

  /** A call that changes nothing, repeated until the server answers. @throws CliError `unreachable` */
  async patient<T>(
    work: (client: SluiceClient) => Promise<T>,
    { onWait, signal }: WaitOptions = {},
  ): Promise<T> {
    const since = Date.now();
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.call(work);
      } catch (error) {
        if (!isAway(error)) throw error;
        if (Date.now() - since > PATIENCE_MS) throw goneFor(this.#client.baseUrl, Date.now() - since);
        if (tries === 1) onWait?.(`waiting for the server at ${this.#client.baseUrl}`);
        await sleep(backOff(tries), undefined, signal === undefined ? {} : { signal });
        this.relocate();
      }
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/**
 * The running server: SLUICE_URL, else the one that is supervised from this home, else one on the usual port.
 * @throws CliError when SLUICE_URL does not lead to a server of ours
 */
export async function findServer(config: Config, named = config.client?.url): Promise<Server | undefined> {
  const place = named === undefined ? placeHere(config) : { url: named, here: isHere(config, named) };
  if (place !== undefined) {
    const server = new Server(place, named === undefined ? () => placeHere(config) : () => place);
    if (named !== undefined) await requireOurs(server, named);
    return server;
  }
  return config.api.port === 0 ? undefined : await onUsualPort(config);
}

/** @throws CliError `unreachable` when no server runs */
export async function requireServer(config: Config): Promise<Server> {
  const server = await findServer(config);
  if (server !== undefined) return server;
  throw new CliError(EXIT.system, 'unreachable', 'No Sluice server runs here.', START_IT);
}

function placeHere({ home }: Config): Place | undefined {
  const running = findRunning(home);
  return running === undefined ? undefined : { url: running.url, here: true };
}

const isHere = (config: Config, url: string): boolean =>
  placeHere(config)?.url.replace(/\/+$/, '') === url.replace(/\/+$/, '');

async function onUsualPort({ api }: Config): Promise<Server | undefined> {
  const host = api.host.includes(':') ? `[${api.host}]` : api.host;
  const place = { url: `http://${host}:${api.port}`, here: false };
  const server = new Server(place, () => place);
  const ours = await isOurs(server).catch(() => false);
  if (ours) return server;
  await server.close();
  return undefined;
}

async function requireOurs(server: Server, url: string): Promise<void> {
  let why = 'what answers there is no Sluice server';
  try {
    if (await isOurs(server)) return;
  } catch (error) {
    if (isWireError(error)) why = 'nothing answers there';
  }
  await server.close();
  throw new CliError(EXIT.system, 'unreachable', `No server at ${url}: ${why}.`, START_IT);
}

/** Other programs may answer on the port, but not in these words. */
async function isOurs({ client }: Server): Promise<boolean> {
  const ready = await within(PROBE_MS, client.health.ready());
  return typeof ready === 'object' && typeof ready.ready === 'boolean' && typeof ready.checks === 'object';
}

/** The server, or what it needs, is away for the moment. */
export function isAway(error: unknown): boolean {
  if (error instanceof ApiError) return [429, 502, 503, 504].includes(error.status);
  return isWireError(error);
}

function goneFor(url: string, ms: number): CliError {
  const say = `The server at ${url} has not answered for ${Math.round(ms / 1000)} s.`;
  return new CliError(
    EXIT.system,
    'unreachable',
    say,
    'What it has goes on when it is back. '.concat(START_IT),
  );
}
