// How files are sent: a large one resumable, small ones many to a form.
import { createHash } from 'node:crypto';
import type { NamedFile } from './source.js';

const MIB = 1024 * 1024;
/** A file of so many bytes goes by itself and resumable. */
export const LARGE_BYTES = 8 * MIB;
/** A form that breaks is sent again whole, so it holds no more than this. */
const FORM_BYTES = 64 * MIB;
const FORM_FILES = 1_000;

export interface SendPart {
  /** The same for the same content of a plan, whatever else is sent. */
  readonly id: string;
  readonly kind: 'large' | 'form';
  readonly files: readonly NamedFile[];
  readonly bytes: number;
}

/**
 * In the order in which they are best begun: the largest first, since its upload keeps the dataset open while others
 * have a break; then the forms; then what is left.
 */
export function planParts(files: readonly NamedFile[]): SendPart[] {
  const large = files.filter(({ size }) => size >= LARGE_BYTES).sort((a, b) => b.size - a.size);
  const small = files.filter(({ size }) => size < LARGE_BYTES);
  const [first, ...rest] = large.map((file) => partOf('large', [file]));
  return [...(first === undefined ? [] : [first]), ...formsOf(small), ...rest];
}

function formsOf(files: readonly NamedFile[]): SendPart[] {
  const forms: NamedFile[][] = [];
  let bytes = 0;
  for (const file of files) {
    const last = forms.at(-1);
    const fits = last !== undefined && bytes + file.size <= FORM_BYTES && last.length < FORM_FILES;
    if (fits) last.push(file);
    else forms.push([file]);
    bytes = fits ? bytes + file.size : file.size;
  }
  return forms.map((form) => partOf('form', form));
}

function partOf(kind: SendPart['kind'], files: readonly NamedFile[]): SendPart {
  const list = files.map(({ name, size, mtimeMs }) => [name, size, mtimeMs]);
  const id = createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 32);
  return { id, kind, files, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}
