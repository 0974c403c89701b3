// What the two sides of a lane tell each other.
import type { LookupAddress } from 'node:dns';
import type { PlainHead } from './http-head.js';

/** Where a connection goes: addresses that were checked, never a name to be looked up. */
export interface LaneTarget {
  readonly secure: boolean;
  /** For the certificate. */
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly LookupAddress[];
}

export type LaneOrder =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly target: LaneTarget;
      /** The request's text. */
      readonly request: string;
      /** An open file of this process, and where in it the body goes. */
      readonly file: number;
      readonly offset: number;
    }
  /** So many bytes more may be taken from the body. */
  | { readonly kind: 'grant'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'stop'; readonly id: number };

/** `answer`: what is no plain answer; `disk`: the file could not be written. */
export interface LaneFailure {
  readonly where: 'connection' | 'answer' | 'disk';
  readonly message: string;
  readonly code: string | undefined;
}

export type LaneNews =
  | { readonly kind: 'head'; readonly id: number; readonly head: PlainHead }
  /** So many bytes more lie in the file. */
  | { readonly kind: 'wrote'; readonly id: number; readonly bytes: number }
  /** Nothing more of it will be written. */
  | { readonly kind: 'ended'; readonly id: number; readonly failure: LaneFailure | undefined };
