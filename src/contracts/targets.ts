// The publish targets that an operator names, as the settings hold them. They hold secrets: never recorded, never shown.
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

export type Target = S3Target;
export type TargetKind = Target['kind'];
