// The port of a source: bytes from somewhere into the staging area of an upload.
import type { ExtraDigest, FileHash } from '../../bytes/hash.js';
import type { Owner } from '../../bytes/journal.js';
import type { Roots } from '../../bytes/layout.js';
import type { UploadStaging } from '../../bytes/staging.js';
import type { ArchiveKind } from '../../contracts/claim.js';
import type { Source, SourceKind } from '../../domain/source.js';
import type { HttpClient } from '../../net/http.js';
import type { UrlGuard } from '../../net/url-guard.js';
import type { SshDirectory } from '../../secrets/ssh-directory.js';
import type { Vault } from '../../secrets/vault.js';
import type { DriveSettings } from './drive/access.js';
import type { StreamBudget } from './transfer/stream-count.js';

/** What sources are built from. */
export interface SourceDeps {
  readonly roots: Roots;
  /** Absolute directories below which server-side paths may be read. */
  readonly localRoots: readonly string[];
  readonly secrets: Vault;
  readonly http: HttpClient;
  /** For connections that are not http. */
  readonly guard: UrlGuard;
  readonly ssh: SshDirectory;
  /** Left out: this server has no remotes of rclone. */
  readonly rclone?: RcloneSettings;
  readonly transfer: TransferSettings;
  readonly drive: DriveSettings;
}

export interface RcloneSettings {
  /** The program: a name that is searched, or an absolute path. */
  readonly command: string;
  /** Its configuration, absolute. */
  readonly config: string;
  /** Of an encrypted configuration. */
  readonly password?: string;
}

/** How the transfer engine works, for every source that uses it. */
export interface TransferSettings {
  /** Most ranges in flight of one file; most files in flight of one delivery. */
  readonly streams: number;
  /** Ranges in flight of all files together. */
  readonly budget?: StreamBudget;
  /** A range that gives nothing for this long is cut and asked for anew, ms. */
  readonly stallMs: number;
  /** Files larger than this are fetched by several streams, bytes. */
  readonly parallelAbove: number;
  /** One range request, bytes. */
  readonly pieceBytes: number;
  /** Tries in a row without a new byte before it is given up. */
  readonly tries: number;
  /** First pause between two tries, ms; doubles up to 10 s. */
  readonly backOffMs: number;
}

export interface FetchContext<S extends Source = Source> {
  readonly uuid: string;
  readonly jobId: string;
  readonly source: S;
  readonly staging: UploadStaging;
  readonly owner: Owner;
  /** Aborted on pause, cancel and shutdown alike: stop writing, flush the journal, return Paused. */
  readonly signal: AbortSignal;
  /** Tells progress in bytes; `total` 0 = not known. */
  advance(done: number, total: number, note: string): void;
  /** The bytes that were told last. */
  confirmed(): number;
  /**
   * Waits until so many more bytes may be moved (limits on bandwidth); await it for every chunk. At once as a rule.
   * @throws the signal's reason
   */
  pace(bytes: number): Promise<void>;
  /**
   * Says how many bytes the delivery has, as soon as that is known and before they are moved.
   * @throws Fault `quota_reached`, `too_many_open_bytes` when its owner may not have so many (now)
   */
  admit(bytes: number): Promise<void>;
  /** Names what is not brought, because it was asked to be left out; what is said last holds. */
  leaveOut(names: readonly string[]): void;
  /** See Heart.waiting. */
  waiting<T>(work: Promise<T>, boundMs: number): Promise<T>;
}

/** A digest that the source told, in hex. */
export interface Announced {
  readonly algorithm: 'sha256' | ExtraDigest;
  readonly hex: string;
}

/** A whole file in staging: its path inside the dataset (safe), and where it lies now. */
export interface FetchedFile {
  readonly path: string;
  readonly from: string;
  /** Compared before the file counts. */
  readonly announced?: readonly Announced[];
  /** Digests of the bytes on the disk, when they were read back already; at least those that were announced. */
  readonly hash?: FileHash | undefined;
  /** Whether it is an archive, and of which kind, when that was looked at already. */
  readonly looked?: { readonly archive: ArchiveKind | undefined } | undefined;
}

/** The signal ended it; `confirmed` bytes need not be fetched again. */
export interface Paused {
  readonly paused: true;
  readonly confirmed: number;
}

/**
 * One kind of source. `fetch` continues what an earlier attempt confirmed, and may be called again after it was
 * done (it then finds its files in staging). It throws Faults.
 */
export interface SourceFetcher<S extends Source = Source> {
  readonly kind: S['kind'];
  fetch(context: FetchContext<S>): Promise<readonly FetchedFile[] | Paused>;
}

export type Sources = {
  /** All but those whose bytes are still to come. */
  readonly [K in Exclude<SourceKind, 'awaited'>]: SourceFetcher<Extract<Source, { kind: K }>>;
};
