// Who asks Google, and with which token: a service account of this server, or somebody's own access that lies sealed.
import { Fault, faultOf } from '../../../domain/fault.js';
import type { GoogleDriveSource } from '../../../domain/source.js';
import type { GoogleAccounts } from '../../../secrets/google-accounts.js';
import type { Vault } from '../../../secrets/vault.js';
import type { GoogleDriveSecret } from '../../../sources/google_drive.js';
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
  /** What the library asks with. */
  readonly fetch: typeof fetch;
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
  const secret = source.sealed ? await vault.open<GoogleDriveSecret>(jobId) : {};
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
  { oauth }: GoogleDriveSecret,
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
function fetchOf({ tokens, fetch }: DriveSettings): typeof globalThis.fetch {
  if (tokens === undefined) return fetch;
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return fetch(url.host === TOKEN_HOST ? tokens : url, init);
  };
}

/** What the token endpoint refuses is final; that it cannot be reached is not. */
async function asked<T>(who: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // No cause goes along: it holds the request with the assertion or the refresh token.
    throw faultOf(error) ?? refusedToken(who, error);
  }
}

function refusedToken(who: string, error: unknown): Fault {
  const answer = responseOf(error);
  const { message, code } = fieldsOf(error);
  const words = `${String(message)} ${String(code)}`;
  if (answer === undefined && /refresh token/i.test(words)) {
    return new Fault('drive_denied', `Google refuses the token of ${who}: it is over or was taken back.`);
  }
  if (answer === undefined && /ERR_OSSL|asn1|PEM|DECODER/i.test(words)) {
    return new Fault('google_account_broken', `The key of ${who} cannot sign.`);
  }
  if (answer === undefined || answer.status === 429 || answer.status >= 500) {
    return new Fault('drive_broken', 'The token endpoint of Google does not answer.');
  }
  const reasons = reasonsIn(answer.data);
  const word = reasons.length === 0 ? String(answer.status) : reasons.join(', ');
  const more = reasons.includes('invalid_grant')
    ? ' The key may be deleted, or the clock of this server wrong.'
    : '';
  return new Fault('drive_denied', `Google gives no token to ${who} (${word}).${more}`);
}

/** The answer in an error of the library. Not by its class: the one of another copy of the library has another. */
export function responseOf(
  error: unknown,
): { readonly status: number; readonly retryAfter: string | undefined; readonly data: unknown } | undefined {
  const { response } = fieldsOf(error);
  const { status, headers, data } = fieldsOf(response);
  if (typeof status !== 'number') return undefined;
  const { get } = fieldsOf(headers);
  const retryAfter: unknown = typeof get === 'function' ? get.call(headers, 'retry-after') : undefined;
  return { status, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined, data };
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
