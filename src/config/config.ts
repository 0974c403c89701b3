// The settings of a Sluice process, read once and handed down. Only src/config/env.ts reads process.env.

import type { S3Keys } from '../contracts/s3-keys.js';
import type { Target } from '../contracts/targets.js';
import type { LimitValues } from '../domain/limits.js';

export interface Config {
  /** State of an embedded installation: databases, run.json, keys, logs. Absolute. */
  readonly home: string;
  /** Tools shared by all clones of a user. Absolute. */
  readonly cache: string;
  readonly api: { readonly host: string; readonly port: number };
  readonly temporal: {
    /** host:port of a foreign server; undefined = start an embedded one on `port`. */
    readonly address?: string;
    readonly namespace: string;
    readonly apiKey?: string;
    readonly tls?: {
      readonly certFile?: string;
      readonly keyFile?: string;
      readonly caFile?: string;
      readonly serverName?: string;
    };
    readonly port: number;
    readonly uiPort: number;
    /** Address of Temporal Web for links. */
    readonly uiUrl: string;
  };
  readonly mongo: {
    /** Connection string of a foreign server; undefined = start an embedded one on `port`. May hold a password. */
    readonly url?: string;
    readonly db: string;
    readonly port: number;
  };
  /** Roots of the byte store. Absolute. */
  readonly dirs: { readonly in: string; readonly out: string };
  /** Server-side paths may be ingested only below these, after resolving links. Absolute. */
  readonly localRoots: readonly string[];
  /** Hosts (name or name:port) and CIDR blocks that URLs may lead to although they are not public. */
  readonly urlAllow: readonly string[];
  /** Where Google's API and its tokens are had, when not at Google's own addresses. The API's ends with a slash. */
  readonly google: { readonly root?: string; readonly tokens?: string };
  /** Service accounts of Google: key files under a name, and directories of key files. Absolute. */
  readonly googleAccounts: readonly { readonly name?: string; readonly path: string }[];
  /** known_hosts, and private keys that requests may name. Absolute. */
  readonly sshDir?: string;
  /** Configuration of rclone whose remotes requests may name, absolute; its password when it is encrypted. */
  readonly rclone?: { readonly config: string; readonly password?: string };
  /** Where datasets may ask to be published too; with their secrets. */
  readonly targets?: readonly Target[];
  readonly worker: {
    readonly queues: readonly ('control' | 'transfer' | 'compute')[];
    readonly computeSlots: number;
    readonly transferSlots: number;
  };
  /** Python interpreter of the converters' environment. */
  readonly python: string;
  /** Tools that the operator named; the others are searched and provided (scripts/tools.mjs). */
  readonly tools?: {
    readonly temporal?: string;
    readonly mongod?: string;
    readonly python?: string;
    readonly rclone?: string;
  };
  readonly limits: {
    /** Largest request body, bytes. */
    readonly uploadBytes: number;
    /** Largest file that comes in several requests, bytes. */
    readonly fileBytes: number;
    /** Chunk that older clients cut such a file into, bytes. */
    readonly chunkBytes: number;
    /** Without a new byte for so long, an upload that its client has not finished ends, ms. */
    readonly uploadExpiryMs: number;
    /** The same of an upload in chunks. */
    readonly chunkExpiryMs: number;
    /** Extraction: total bytes, ratio of unpacked to packed, entries. */
    readonly extractBytes: number;
    readonly extractRatio: number;
    readonly extractEntries: number;
    /** Directories above a file of an archive. */
    readonly extractDepth: number;
    /** Memory of one converter, bytes; 0 = no limit. */
    readonly converterBytes: number;
  };
  /** What every owner may have who has no limits of its own; 0 = no limit. */
  readonly owners?: LimitValues;
  /** What the commands that talk to a server use; the server itself needs none of it. */
  readonly client?: {
    /** Address of the server; undefined = the one that runs here. */
    readonly url?: string;
    /** Owner of what is ingested. */
    readonly email?: string;
    /** What `sluice ingest s3://…` sends along; a worker never uses it. */
    readonly s3?: {
      readonly endpoint?: string;
      readonly region?: string;
      readonly keys?: S3Keys;
    };
  };
  /** Take the key ring of this host although the database knows another. */
  readonly newKeys?: boolean;
  /** Milliseconds without a new upload after which an unsealed dataset is processed. */
  readonly quietMs: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}
