// The name under which a file from the web enters the dataset.
import { safeRelativePath } from '../../../bytes/safe-names.js';

/** From Content-Disposition, else from the URL's path; made safe, never refused. */
export function fileNameOf(url: URL, disposition: string | undefined): string {
  const told = fromDisposition(disposition ?? '') ?? decode(url.pathname);
  // Whatever was told as a path: only its last part names the file.
  const last =
    told
      .split(/[/\\]/)
      .filter((part) => part !== '')
      .at(-1) ?? '';
  const clean = cut(
    last
      .replace(/[\p{Cc}\p{Cs}]/gu, '_')
      .replace(/^([A-Za-z]):/, '$1_')
      .trim(),
  );
  const name = ['', '.', '..'].includes(clean) ? 'download' : clean;
  try {
    return safeRelativePath(name);
  } catch {
    return `download-${name.replace(/^\.+/, '')}`;
  }
}

function fromDisposition(text: string): string | undefined {
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;]+)/i.exec(text)?.[1];
  if (extended !== undefined) return decode(extended.trim());
  const quoted = /;\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(text)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(["\\])/g, '$1');
  return /;\s*filename\s*=\s*([^;\s]+)/i.exec(text)?.[1];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** At most 200 bytes, the extension kept. */
function cut(name: string): string {
  const extension = /\.[A-Za-z0-9.]{1,12}$/.exec(name)?.[0] ?? '';
  let stem = [...name.slice(0, name.length - extension.length)];
  while (Buffer.byteLength(stem.join('')) + extension.length > 200) stem = stem.slice(0, -1);
  return stem.join('') + extension;
}
