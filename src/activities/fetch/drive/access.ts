// Who asks Google, and with which token: a service account of this server, or somebody's own access that lies sealed.
import { Fault, faultOf } from '../../../domain/fault.js';
import type { GoogleDriveSource } from '../../../domain/source.js';
import { createGuardedFetch } from '../../../net/guarded-fetch.js';
import type { GoogleAccounts } from '../../../secrets/google-accounts.js';
import type { Vault } from '../../../secrets/vault.js';
import { loadLibrary, type TokenClient } from './library.js';
import { reasonsIn } from './refusal.js';

const SCOPE = 'https://www.googleapis.com/auth/drive.readonly';
const TOKEN_HOST = 'oauth2.googleapis.com';

export interface DriveSettings {
  readonly accounts: GoogleAccounts;
  /** Where the API is; only tests have it elsewhere. Ends with a slash. */
  readonly root: string;
  /** Where tokens are had, likewise; left out: at Google. */
  readonly tokens?: string;
  readonly urlAllow: readonly string[];
  readonly stallMs: number;
}

/** What may lie sealed under the job's id. */
export interface DriveSecret {
  readonly oauth?:
    | { readonly access_token: string }
    | { readonly refresh_token: string; readonly client_id: string; readonly client_secret: string };
  /** Keys that links carried, by id. */
  readonly linkKeys?: Readonly<Record<string, string>>;
}

export interface DriveAccess {
  /** In words; the address of a service account is what people share with. */
  readonly who: string;
  readonly client: TokenClient;
  readonly linkKeys: Readonly<Record<string, string>>;
  /** @throws Fault `drive_denied`, `drive_broken` */
  token(): Promise<string>;
  /** Another token, had once for all who were refused with this one. @throws as token */
  renew(refused: string): Promise<void>;
}

/** @throws Fault `google_account_unknown`, `google_account_broken`, `drive_denied` when what was sealed is gone */
export async function openAccess(
  settings: DriveSettings,
  vault: Vault,
  { source, jobId }: { readonly source: GoogleDriveSource; readonly jobId: string },
): Promise<DriveAccess> {
  const secret = source.sealed ? await vault.open<DriveSecret>(jobId) : {};
  if (secret === undefined) {
    throw new Fault(
      'drive_denied',
      'The tokens for Google Drive are no longer kept; send it again with them.',
    );
  }
  const { client, who } = await clientOf(settings, source, secret);
  // Not by the clock: it may be wrong, and Google may take a token back.
  const anew = async (refused: string): Promise<void> => {
    if (client.credentials.access_token !== refused) return;
    client.credentials = { ...client.credentials, access_token: null, expiry_date: 1 };
    await asked(who, async () => await client.getAccessToken());
  };
  let renewing: Promise<void> | undefined;
  return {
    who,
    client,
    linkKeys: secret.linkKeys ?? {},
    token: async () => (await asked(who, async () => await client.getAccessToken())).token ?? '',
    async renew(refused) {
      renewing ??= anew(refused).finally(() => {
        renewing = undefined;
      });
      await renewing;
    },
  };
}

async function clientOf(
  settings: DriveSettings,
  { account }: GoogleDriveSource,
  { oauth }: DriveSecret,
): Promise<{ client: TokenClient; who: string }> {
  const { auth } = await loadLibrary();
  const transporterOptions = { fetchImplementation: fetchOf(settings) };
  if (account !== undefined) {
    const { email, key, keyId } = await settings.accounts.key(account);
    const named = keyId === undefined ? {} : { keyId };
    const client = new auth.JWT({ email, key, ...named, scopes: [SCOPE], transporterOptions });
    return { client, who: `the service account ${email}` };
  }
  const who = 'the person whose token was given';
  if (oauth === undefined) throw new Fault('drive_denied', 'Neither an account nor a token is given.');
  if ('access_token' in oauth) {
    const client = new auth.OAuth2({ transporterOptions });
    client.setCredentials({ access_token: oauth.access_token });
    return { client, who };
  }
  const { client_id: clientId, client_secret: clientSecret, refresh_token } = oauth;
  const client = new auth.OAuth2({ clientId, clientSecret, transporterOptions });
  client.setCredentials({ refresh_token });
  return { client, who };
}

/** The library takes the address of the token endpoint from nowhere but itself; so tests turn it here. */
function fetchOf({ tokens, urlAllow, stallMs }: DriveSettings): typeof fetch {
  const guarded = createGuardedFetch({ allow: urlAllow, stallMs });
  if (tokens === undefined) return guarded;
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return guarded(url.host === TOKEN_HOST ? tokens : url, init);
  };
}

/** What the token endpoint refuses is final; that it cannot be reached is not. */
async function asked<T>(who: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = faultOf(error);
    if (fault !== undefined) throw fault;
    const answer = responseOf(error);
    // The cause is left out where it holds the request: the assertion, the refresh token.
    if (answer === undefined && !isTokenless(error)) {
      throw new Fault('drive_broken', 'The token endpoint of Google cannot be reached.');
    }
    const status = answer?.status ?? 401;
    if (status === 429 || status >= 500) {
      throw new Fault('drive_broken', `The token endpoint of Google answered with status ${status}.`);
    }
    const reasons = reasonsIn(answer?.data);
    const word = reasons.length === 0 ? String(status) : reasons.join(', ');
    const clock = reasons.includes('invalid_grant')
      ? ' The key may be deleted, or the clock of this server wrong.'
      : '';
    throw new Fault('drive_denied', `Google gives no token to ${who} (${word}).${clock}`);
  }
}

/** An access token without a refresh token, or a key that cannot sign. */
function isTokenless(error: unknown): boolean {
  const words = error instanceof Error ? `${error.message} ${'code' in error ? String(error.code) : ''}` : '';
  return /refresh token|ERR_OSSL|asn1|PEM|key must be|DECODER/i.test(words);
}

/** The answer in an error of the library. */
export function responseOf(
  error: unknown,
): { readonly status: number; readonly headers: Headers; readonly data: unknown } | undefined {
  if (typeof error !== 'object' || error === null || !('response' in error)) return undefined;
  const { response } = error;
  if (typeof response !== 'object' || response === null || !('status' in response)) return undefined;
  const { status } = response;
  const headers =
    'headers' in response && response.headers instanceof Headers ? response.headers : new Headers();
  return typeof status === 'number'
    ? { status, headers, data: 'data' in response ? response.data : undefined }
    : undefined;
}
