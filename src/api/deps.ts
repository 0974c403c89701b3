// What the routes work with; serve.ts makes it, tests make their own.
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { Bandwidth } from '../bandwidth/bandwidth.js';
import type { Roots } from '../bytes/layout.js';
import type { Config } from '../config/config.js';
import type { UrlGuard } from '../net/url-guard.js';
import type { GoogleAccounts } from '../secrets/google-accounts.js';
import type { SshDirectory } from '../secrets/ssh-directory.js';
import type { Vault } from '../secrets/vault.js';
import type { OfferDeps } from '../sources/offer.js';
import type { Store } from '../store/mongo.js';
import type { WriterPool } from './awaited/port.js';
import type { Engine } from './engine.js';

export interface ApiDeps {
  readonly config: Config;
  readonly store: Store;
  readonly engine: Engine;
  readonly roots: Roots;
  readonly vault: Vault;
  readonly urlGuard: UrlGuard;
  readonly googleAccounts: GoogleAccounts;
  readonly ssh: SshDirectory;
  readonly log: Logger;
  /** Name of this API process, fresh at every start. */
  readonly instance: string;
  /** Aborted when the process is asked to stop: uploads are interrupted, streams end. */
  readonly closing: AbortSignal;
  /** Uploads whose bytes this process receives, by job id. */
  readonly receiving: Map<string, AbortController>;
  /** Limits on what clients send. */
  readonly bandwidth: Pick<Bandwidth, 'join' | 'changed' | 'close'>;
  /** Uploads that clients fill piece by piece through this process. */
  readonly writers: WriterPool;
}

export interface ApiEnv {
  Bindings: HttpBindings;
}

/** What the checks of sources need. */
export const offerDeps = ({ config, urlGuard, googleAccounts, ssh }: ApiDeps): OfferDeps => ({
  localRoots: config.localRoots,
  urlGuard,
  googleAccounts,
  ssh,
  rclone: config.rclone !== undefined,
});
