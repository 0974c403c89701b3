// The headers of tus 1.0, read strictly: what they say, or a refusal that names the header.
import type { StretchDigest } from '../../bytes/hash.js';
import { Fault } from '../../domain/fault.js';
import type { PartDigest } from '../awaited/port.js';
import type { ApiContext } from '../route.js';

export const VERSION = '1.0.0';
export const ALGORITHMS: readonly StretchDigest[] = ['sha256', 'sha1', 'md5'];
const HEX_LENGTH = { sha256: 64, sha1: 40, md5: 32 } as const;

/** A whole number of bytes; undefined when the header is missing. @throws Fault invalid_field */
export function bytesHeader(c: ApiContext, name: string): number | undefined {
  const text = c.req.header(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new Fault('invalid_field', `${name} is not a whole number of bytes.`);
}

/** The announced checksum of this request's body. @throws Fault invalid_field */
export function checksumHeader(c: ApiContext): PartDigest | undefined {
  const text = c.req.header('upload-checksum');
  if (text === undefined) return undefined;
  const [name = '', value = ''] = text.trim().split(/\s+/);
  const algorithm = ALGORITHMS.find((one) => one === name.toLowerCase());
  if (algorithm === undefined) {
    throw new Fault('invalid_field', `Upload-Checksum: known algorithms are ${ALGORITHMS.join(', ')}.`);
  }
  const hex = Buffer.from(value, 'base64').toString('hex');
  if (hex.length !== HEX_LENGTH[algorithm])
    throw new Fault('invalid_field', `Upload-Checksum is no ${algorithm} digest.`);
  return { algorithm, hex };
}

/** Upload-Metadata as names and texts. @throws Fault invalid_field */
export function metadataHeader(c: ApiContext): Readonly<Record<string, string>> {
  const text = c.req.header('upload-metadata') ?? '';
  const found = new Map<string, string>();
  for (const pair of text.split(',')) {
    const [key = '', value = '', ...more] = pair.trim().split(' ');
    if (key === '' && text.trim() === '') continue;
    if (key === '' || more.length > 0 || found.has(key) || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
      throw new Fault('invalid_field', 'Upload-Metadata is no list of names with values in Base64.');
    }
    found.set(key, Buffer.from(value, 'base64').toString('utf8'));
  }
  return Object.fromEntries(found);
}
