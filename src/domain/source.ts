// Where bytes come from. A new source is a variant here, its offer (src/sources) and its fetcher (activities/fetch/sources).
import type { FailureCode } from './failure.js';

/** Bytes that a client sent to the API; they lie in the staging area under the job's id. */
export interface ReceivedSource {
  readonly kind: 'received';
  readonly files: number;
  readonly bytes: number;
  /** Why receiving ended early; the upload then fails with this code and its leftovers are removed. */
  readonly fault?: { readonly code: FailureCode; readonly say: string };
}

/** Bytes that a client is still sending, piece by piece: its upload waits for them, and expires when none come. */
export interface AwaitedSource {
  readonly kind: 'awaited';
  readonly files: number;
  /** Bytes that were announced; 0 = not known. */
  readonly bytes: number;
  /** Milliseconds without a new byte after which the upload ends as `upload_expired`. */
  readonly expiresAfterMs: number;
}

/** A file or directory on the server, below a configured root. */
export interface LocalSource {
  readonly kind: 'local';
  readonly path: string;
  /** Name that a single file gets in the dataset; default: the last part of its path. */
  readonly name?: string;
}

/** A file on the web. `url` holds neither user, password nor query: those lie sealed under the job's id. */
export interface UrlSource {
  readonly kind: 'url';
  readonly url: string;
  readonly sealed: boolean;
}

/** A file or folder in Google Drive. Tokens and the keys of links lie sealed under the job's id. */
export interface GoogleDriveSource {
  readonly kind: 'google_drive';
  /** Of a file, a folder or a shared drive. */
  readonly id: string;
  /** The shared drive that it lies in, where that is known. */
  readonly drive?: string;
  /** The service account that reads it, by its name on this server; left out: somebody's own tokens, sealed. */
  readonly account?: string;
  readonly sealed: boolean;
  /** What Google does not give out is left out, instead of ending the upload. */
  readonly leavesOut?: boolean;
}

/** A file or directory that an rsync daemon, or rsync over ssh, gives. Passwords and private keys lie sealed. */
export interface RsyncSource {
  readonly kind: 'rsync';
  readonly via: 'daemon' | 'ssh';
  /** A name, or an address (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  /** Daemon: the module and the way in it. Ssh: absolute, or relative to the user's home. */
  readonly path: string;
  /** A private key of the server by its name; left out: the sealed one. */
  readonly key?: string;
  /** The host's public key (`type base64`), when the request told it. */
  readonly hostKey?: string;
  readonly sealed: boolean;
  /** Links and special files are left out, instead of ending the upload. */
  readonly leavesOut?: boolean;
}

/** An object, or the objects below a prefix, in a bucket of an S3-compatible store. Keys lie sealed under the job's id. */
export interface S3Source {
  readonly kind: 's3';
  readonly bucket: string;
  /** Of one object; with `prefix` what the keys of all objects begin with (empty: the whole bucket). */
  readonly key: string;
  readonly prefix: boolean;
  /** Address of the store; left out: AWS. */
  readonly endpoint?: string;
  readonly region: string;
  /** The bucket stands in the path, not in the name of the host. */
  readonly pathStyle: boolean;
  readonly sealed: boolean;
}

/** A file or directory of a remote in the server's rclone configuration. */
export interface RcloneSource {
  readonly kind: 'rclone';
  /** Its name in the configuration. */
  readonly remote: string;
  /** Empty: all of it. */
  readonly path: string;
}

export type Source =
  | ReceivedSource
  | AwaitedSource
  | LocalSource
  | UrlSource
  | GoogleDriveSource
  | RsyncSource
  | RcloneSource
  | S3Source;
export type SourceKind = Source['kind'];

/** Sources whose bytes a client sends; an upload from one is open until the last of them has come. */
export const CLIENT_SOURCES = ['received', 'awaited'] as const satisfies readonly SourceKind[];

/** What a person reads as the origin of an upload. */
export function sourceWords(source: Source): string {
  switch (source.kind) {
    case 'rclone':
      return `rclone ${source.remote}:${source.path}`;
    case 'received':
      return `${source.files} file${source.files === 1 ? '' : 's'} sent by the client`;
    case 'awaited':
      return `${source.files} file${source.files === 1 ? '' : 's'} that a client is sending`;
    case 'local':
      return `path ${source.path}`;
    case 'url':
      return `URL ${source.url}`;
    case 'google_drive':
      return `Google Drive ${source.id}`;
    case 'rsync':
      return `rsync ${source.host}:${source.path}`;
    case 's3':
      return `s3://${source.bucket}/${source.key}`;
  }
}
