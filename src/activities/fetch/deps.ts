// What the activity fetchSource is built from.
import type { Bandwidth } from '../../bandwidth/bandwidth.js';
import type { GoogleAccounts } from '../../secrets/google-accounts.js';
import type { Vault } from '../../secrets/vault.js';
import type { Admit } from '../support/admission.js';
import type { ProgressSink } from '../support/heartbeat.js';
import type { Turns } from '../support/turns.js';
import type { FindSame } from './duplicates.js';
import type { SourceDeps, TransferSettings } from './source.js';

export interface FetchDeps extends Pick<SourceDeps, 'roots' | 'localRoots' | 'ssh' | 'rclone'> {
  /** Hosts and CIDR blocks that URLs may lead to although they are not public. */
  readonly urlAllow: readonly string[];
  readonly secrets: Vault;
  readonly progress: ProgressSink;
  /** For uploads that want to be asked, or to share bytes. */
  readonly findSame?: FindSame;
  /** Makes the files of a dataset known to others; that it fails is no reason to fail. */
  readonly noteDigests?: (uuid: string) => Promise<void>;
  /** Reports of progress closer together than this are dropped, ms; default 200. */
  readonly beatsApartMs?: number;
  readonly transfer?: Partial<TransferSettings>;
  /** Service accounts of Google; default: none. The addresses are Google's, except in tests. */
  readonly drive?: { readonly accounts: GoogleAccounts; readonly root?: string; readonly tokens?: string };
  /** The limits on bandwidth; left out: none. */
  readonly bandwidth?: Pick<Bandwidth, 'join'>;
  /** How many transfers of an owner run at once; left out: any number. */
  readonly turns?: Pick<Turns, 'take' | 'wait'>;
  /** Whether an owner may have what a pull turns out to be; left out: anything. */
  readonly admit?: Admit;
}
