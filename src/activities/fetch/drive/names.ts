// Names in Drive may hold anything, and several things in one folder may have the same: both become safe, distinct paths.
import { digestOf } from '../../../bytes/receipts.js';
import { besidePath, safeRelativePath } from '../../../bytes/safe-names.js';

const LONGEST_BYTES = 200;

/**
 * A name that is one part of a path: `/`, `\`, control characters and broken text become `_`, blanks at its ends go,
 * what would be read as a directory of its own or as ours gets a `_` before it, and what is too long is cut (the
 * extension stays).
 */
export function safePart(name: string): string {
  const clean = name
    .normalize('NFC')
    .replace(/[/\\\p{Cc}\p{Cs}]/gu, '_')
    .replace(/^([A-Za-z]):/, '$1_')
    .trim();
  const short = cut(clean);
  return isSafe(short) ? short : `_${short}`;
}

function isSafe(part: string): boolean {
  try {
    return safeRelativePath(part) === part;
  } catch {
    return false;
  }
}

/** Gives names within one folder: the first keeps it, every other one gets `-<8 letters of its id's digest>`. */
export class FolderNames {
  private readonly taken = new Set<string>();

  take(name: string, id: string): string {
    const tag = digestOf(id).slice(0, 8);
    let free = name;
    for (let count = 1; this.taken.has(free); count++) {
      free = besidePath(name, count === 1 ? tag : `${tag}-${count}`);
    }
    this.taken.add(free);
    return free;
  }
}

function cut(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST_BYTES) return name;
  const extension = /\.[A-Za-z0-9.]{1,12}$/.exec(name)?.[0] ?? '';
  let stem = [...name.slice(0, name.length - extension.length)].slice(0, LONGEST_BYTES);
  while (Buffer.byteLength(stem.join('')) + extension.length > LONGEST_BYTES) stem = stem.slice(0, -1);
  return stem.join('') + extension;
}
