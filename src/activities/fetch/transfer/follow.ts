// Whether a file is hashed while it comes, and with which digests.
import type { ExtraDigest } from '../../../bytes/hash.js';
import { type FileFollower, followHash } from '../../../bytes/hash.js';
import type { Announced } from '../source.js';

/** Smaller files are hashed when they are whole: that takes no time to speak of. */
const FOLLOW_ABOVE = 8 * 1024 * 1024;

/** @param size bytes, undefined = not known */
export function followFile(
  path: string,
  size: number | undefined,
  announced: readonly Announced[],
): FileFollower | undefined {
  if (size !== undefined && size < FOLLOW_ABOVE) return undefined;
  return followHash(path, extraDigests(announced));
}

/** What must be computed beside SHA-256. */
export const extraDigests = (announced: readonly Announced[]): ExtraDigest[] =>
  [...new Set(announced.map(({ algorithm }) => algorithm))].filter((one) => one !== 'sha256');
