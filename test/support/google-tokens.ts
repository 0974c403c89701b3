// The stand-in for Google's token endpoint: signed assertions of service accounts are checked, tokens expire.
import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

const AUDIENCE = 'https://oauth2.googleapis.com/token';
const SCOPE = 'https://www.googleapis.com/auth/drive.readonly';

let made: { publicKey: string; privateKey: string } | undefined;
/** One for a whole test file: to make one takes long. */
function pair(): { publicKey: string; privateKey: string } {
  made ??= generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return made;
}

export interface AccountKey {
  readonly email: string;
  /** The key file as Google gives it. */
  readonly file: string;
  /** For tests that look for it where it must not be. */
  readonly secret: string;
}

export class GoogleTokens {
  /** Seconds that Google says a token lives. */
  lifetime = 3600;
  /** Tokens that were given. */
  given = 0;
  /** Answers in place of the next ones. */
  readonly instead: { status: number; error: string }[] = [];
  private readonly accounts = new Map<string, KeyObject>();
  private readonly refreshable = new Map<string, { who: string; client: string; secret: string }>();
  private readonly live = new Map<string, string>();

  /** A service account with a key of its own. */
  account(email: string): AccountKey {
    const { publicKey, privateKey } = pair();
    this.accounts.set(email, createPublicKey(publicKey));
    const file = {
      type: 'service_account',
      project_id: 'survey',
      private_key_id: '0123456789abcdef',
      private_key: privateKey,
      client_email: email,
      token_uri: 'https://oauth2.googleapis.com/token',
    };
    return { email, file: JSON.stringify(file), secret: privateKey.split('\n')[5] ?? '' };
  }

  /** Somebody's refresh token for one client. */
  refresh(token: string, who: string, client: string, secret: string): void {
    this.refreshable.set(token, { who, client, secret });
  }

  /** A token that is in force. */
  grant(who: string): string {
    this.given += 1;
    const token = `ya29.stand-in-${this.given}-${Math.random().toString(36).slice(2)}`;
    this.live.set(token, who);
    return token;
  }

  /** Takes all tokens back, as if their time were over. */
  expire(): void {
    this.live.clear();
  }

  holderOf(authorization: string | undefined): string | undefined {
    return this.live.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '');
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const form = new URLSearchParams(Buffer.concat(parts).toString());
    const instead = this.instead.shift();
    const who = form.get('grant_type') === 'refresh_token' ? this.byRefresh(form) : this.byAssertion(form);
    const error = instead?.error ?? (who === undefined ? 'invalid_grant' : undefined);
    response.writeHead(instead?.status ?? (error === undefined ? 200 : 400), {
      'content-type': 'application/json',
    });
    const body =
      error === undefined
        ? {
            access_token: this.grant(who ?? ''),
            expires_in: this.lifetime,
            token_type: 'Bearer',
            scope: SCOPE,
          }
        : { error, error_description: 'Invalid JWT Signature.' };
    response.end(JSON.stringify(body));
  }

  private byRefresh(form: URLSearchParams): string | undefined {
    const found = this.refreshable.get(form.get('refresh_token') ?? '');
    const fits = found?.client === form.get('client_id') && found?.secret === form.get('client_secret');
    return fits ? found?.who : undefined;
  }

  /** RS256, by the key of its issuer, for this audience, in force now. */
  private byAssertion(form: URLSearchParams): string | undefined {
    const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return undefined;
    const read = (part: string) =>
      JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    const { iss, aud, exp, iat, scope } = read(claims);
    const key = this.accounts.get(String(iss));
    const now = Date.now() / 1000;
    if (read(head).alg !== 'RS256' || key === undefined || aud !== AUDIENCE || scope !== SCOPE)
      return undefined;
    if (!(Number(exp) > now && Number(exp) <= Number(iat) + 3600 && Number(iat) < now + 60)) return undefined;
    const signed = Buffer.from(`${head}.${claims}`);
    return verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url')) ? String(iss) : undefined;
  }
}
