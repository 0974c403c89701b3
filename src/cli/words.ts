// Figures as people read them, and tables.

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** e.g. 12 B, 3.4 MB (powers of 1000). */
export function bytesWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** e.g. 8 s, 4 min, 3 h, 12 d. */
export function spanWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

/** How long ago an ISO time was. */
export const ageWords = (time: string, now: number): string => spanWords((now - Date.parse(time)) / 1000);

/** The part of a uuid that a person types. */
export const shortId = (uuid: string): string => uuid.slice(0, 8);

const WIDEST = 44;

/** Columns as wide as their longest cell, headed; a cell that is very long is cut. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map(oneLine));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** `name  value` lines; what is null or empty is left out. */
export function pairs(entries: readonly (readonly [string, string | number | null | undefined])[]): string[] {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${clean(String(value))}`);
}

/** Names come from anywhere: nothing of them may steer the terminal. */
export const clean = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');

function oneLine(cell: string): string {
  const text = clean(cell);
  return text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text;
}
