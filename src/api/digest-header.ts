// The digest of a body, as its client announces it.
import { Fault } from '../domain/fault.js';
import type { ApiContext } from './route.js';

/**
 * SHA-256 in hex, from Repr-Digest or Content-Digest (RFC 9530) or X-Content-SHA256; nothing when none is told.
 * @throws Fault invalid_field for one that cannot be read
 */
export function announcedSha256(c: ApiContext): string | undefined {
  for (const name of ['repr-digest', 'content-digest']) {
    const found = /(?:^|,)\s*sha-256=([^,]*)/i.exec(c.req.header(name) ?? '');
    if (found?.[1] !== undefined) return hexOf(name, /^:([A-Za-z0-9+/=]*):\s*$/.exec(found[1])?.[1] ?? '');
  }
  const plain = c.req.header('x-content-sha256');
  if (plain === undefined) return undefined;
  return /^[0-9a-f]{64}$/i.test(plain) ? plain.toLowerCase() : hexOf('x-content-sha256', plain);
}

function hexOf(name: string, base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 32) return bytes.toString('hex');
  throw new Fault('invalid_field', `The header ${name} holds no SHA-256 digest.`);
}
