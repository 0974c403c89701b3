// The publish targets that an operator names, as the settings hold them. They hold secrets: never recorded, never shown.
import type { RsyncAddress } from './rsync-address.js';
import type { S3Keys } from './s3-keys.js';

interface AnyTarget {
  readonly name: string;
  /** Where people find what lies there; ends with a slash. */
  readonly url?: string;
}

/** A prefix of a bucket of an S3-compatible store. */
export interface S3Target extends AnyTarget {
  readonly kind: 's3';
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  /** Left out: AWS. */
  readonly endpoint?: string;
  readonly region: string;
  readonly pathStyle: boolean;
  readonly keys: S3Keys;
}

/** A directory of an rsync daemon, or of a host that has rsync and ssh. It must be there; each product is one below. */
export interface RsyncTarget extends AnyTarget, RsyncAddress {
  readonly kind: 'rsync';
  /** For `ssh`: the text of a private key, without a passphrase. */
  readonly privateKey?: string;
  /** For `ssh`: type and key; left out: what known_hosts in SLUICE_SSH_DIR says. */
  readonly hostKey?: string;
}

/** A directory that API and workers see, of a mounted disk say. It must be there; each product is one below. */
export interface DirectoryTarget extends AnyTarget {
  readonly kind: 'directory';
  /** Absolute, without a slash at its end. */
  readonly path: string;
}

export type Target = S3Target | RsyncTarget | DirectoryTarget;
export type TargetKind = Target['kind'];

/** Where a target leads, for people, without secrets. */
export function targetWords(target: Target): string {
  switch (target.kind) {
    case 's3':
      return `s3://${target.bucket}/${target.prefix} at ${target.endpoint ?? 'AWS'}`;
    case 'rsync':
      return rsyncWords(target);
    case 'directory':
      return `${target.path}/`;
  }
}

/** Its address without the user. */
export function rsyncWords({ via, host, port, path }: RsyncTarget): string {
  const place = host.includes(':') ? `[${host}]` : host;
  if (via === 'daemon') return `rsync://${place}${port === 873 ? '' : `:${port}`}/${path}/`;
  return `ssh://${place}${port === 22 ? '' : `:${port}`}${path.startsWith('/') ? '' : '/~/'}${path}/`.replace(
    /\/+$/,
    '/',
  );
}
