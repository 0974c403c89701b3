// The port of a source towards people: how a request names it, what is refused at once, what is sealed as a secret.
import type { z } from 'zod';
import type { S3Keys } from '../contracts/s3-keys.js';
import type { Source } from '../domain/source.js';
import type { UrlGuard } from '../net/url-guard.js';
import type { GoogleAccounts } from '../secrets/google-accounts.js';
import type { SshDirectory } from '../secrets/ssh-directory.js';

/** What checks need to know of this server. */
export interface OfferDeps {
  /** Absolute directories below which server-side paths may be read. */
  readonly localRoots: readonly string[];
  readonly urlGuard: UrlGuard;
  /** Service accounts of Google that this server has. */
  readonly googleAccounts: Pick<GoogleAccounts, 'names' | 'nameOfPath'>;
  /** Private keys that requests may name. */
  readonly ssh: Pick<SshDirectory, 'key'>;
  /** Whether there are remotes of rclone. */
  readonly rclone: boolean;
}

/** A source that may be recorded. `secret` is sealed under the job's id and shown nowhere. */
export interface CheckedSource {
  readonly source: Source;
  readonly secret?: object;
}

/** Options of the command line that only sources read, and credentials of its environment. */
export interface SourceOptions {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly s3Keys?: S3Keys | undefined;
  readonly account?: string | undefined;
  /** Of rsync over ssh: a private key of the server by name, and the key of the host. */
  readonly sshKey?: string | undefined;
  readonly hostKey?: string | undefined;
}

/** One kind of source as the API, older clients and the command line offer it. */
export interface SourceOffer<Schema extends z.ZodObject = z.ZodObject> {
  /** The `source` of a request; its `type` is a literal. */
  readonly schema: Schema;
  /** @throws Fault for what can be refused before anything is recorded */
  check(body: z.output<Schema>, deps: OfferDeps): Promise<CheckedSource>;
  /** What POST /api/upload/initiate takes as `source_config`; left out: older clients have another route. */
  readonly compat?: {
    readonly config: z.ZodType<z.input<Schema>>;
    /** The estimate that clients are told. */
    readonly seconds: number;
  };
  /** Parameters as the route of supported sources lists them. */
  readonly parameters: { readonly required: readonly string[]; readonly optional: readonly string[] };
  /** How the command line names it; left out: it has no word of its own. */
  readonly cli?: {
    /** For messages and help. */
    readonly example: string;
    /**
     * The source that a text names, and a name for its dataset; undefined: the text names something else.
     * @param options what was given beside the text, by the name of the option
     */
    read(
      text: string,
      options: SourceOptions,
    ): { readonly body: z.input<Schema>; readonly name: string } | undefined;
  };
}

/** Keeps the types of an offer together. */
export const offer = <Schema extends z.ZodObject>(one: SourceOffer<Schema>): SourceOffer<Schema> => one;
