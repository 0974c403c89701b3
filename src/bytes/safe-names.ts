// Names from outside become relative paths that stay inside the dataset, or are refused.
import { Fault } from '../domain/fault.js';

const PART_BYTES = 255;
const PATH_BYTES = 1000;
/** What follows the last dot of a name is its extension up to this length, and part of the name beyond. */
const EXTENSION_BYTES = 100;
/** First parts that would read like one of our own directories. */
const OURS = ['.staging', '.receipts', '.manifests', '.secrets', '.versions'];

/**
 * The name as a relative path: NFC, parts separated by `/`.
 * Windows' reserved names are fine; backslashes are not, because another system would read them as separators.
 * @throws Fault `empty_file_name` or `unsafe_name` (its sentence quotes the name)
 */
export function safeRelativePath(name: string): string {
  if (name.trim() === '') throw new Fault('empty_file_name');
  const path = name.normalize('NFC');
  const why = objection(path);
  if (why !== undefined) throw new Fault('unsafe_name', `The file name ${quoteName(name)} ${why}.`);
  return path;
}

/** A name as it may stand in a message: quoted, cut, without control characters. */
export function quoteName(name: string): string {
  const cut = name.length > 120 ? `${name.slice(0, 120)}…` : name;
  return JSON.stringify(cut.replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD'));
}

/**
 * A path beside `path` for a second file of that name: `-<tag>` before its extension, cut to what a disk takes.
 * @param tag a few characters that are safe in names
 */
export function besidePath(path: string, tag: string): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf('.');
  const hasExtension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= EXTENSION_BYTES;
  const [stem, extension] = hasExtension ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  const room = PART_BYTES - Buffer.byteLength(extension) - tag.length - 1;
  return `${path.slice(0, slash)}${cutBytes(stem, room)}-${tag}${extension}`;
}

/** The path with `end` behind its last part, which is cut to what a disk takes. */
export function longerPath(path: string, end: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${cutBytes(path.slice(slash), PART_BYTES - Buffer.byteLength(end))}${end}`;
}

/** Without the slashes behind it. By hand, because a regular expression takes the square of a stranger's length. */
export function trimSlashes(name: string): string {
  let end = name.length;
  while (end > 0 && name.at(end - 1) === '/') end -= 1;
  return name.slice(0, end);
}

/** What is wrong with a path, as the end of a sentence; undefined = nothing. */
function objection(path: string): string | undefined {
  if (Buffer.from(path).toString() !== path) return 'is not valid text';
  if (/\p{Cc}/u.test(path)) return 'holds control characters';
  if (path.includes('\\')) return 'holds a backslash';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'is absolute';
  if (Buffer.byteLength(path) > PATH_BYTES) return `is longer than ${PATH_BYTES} bytes`;
  return partsObjection(path.split('/'));
}

function partsObjection(parts: readonly string[]): string | undefined {
  if (parts.some((part) => part.trim() === '')) return 'has an empty part';
  if (parts.some((part) => part === '..' || part === '.')) return 'has a part "." or ".."';
  if (parts.some((part) => Buffer.byteLength(part) > PART_BYTES)) {
    return `has a part longer than ${PART_BYTES} bytes`;
  }
  if (OURS.includes((parts[0] ?? '').toLowerCase())) return "begins with one of Sluice's own directories";
  return undefined;
}

/** The longest beginning of whole characters that fits. */
function cutBytes(text: string, bytes: number): string {
  let kept = '';
  let size = 0;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) break;
    kept += character;
  }
  return kept;
}
