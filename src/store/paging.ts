// Cursor paging over rows that are sorted newest first, with a key that breaks ties.

/** The last row of a page. */
export interface Cursor {
  readonly at: Date;
  readonly key: string;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** Where the next page begins; undefined on the last page. */
  readonly next?: Cursor;
}

/** Condition for rows that come after the cursor, sorted by created_at and `key` downwards. */
export function olderThan(key: string, { at, key: last }: Cursor): Record<string, unknown> {
  return { $or: [{ created_at: { $lt: at } }, { created_at: at, [key]: { $lt: last } }] };
}

/** Cuts a result that was asked for with one row more than the limit. */
export function pageOf<T>(rows: readonly T[], limit: number, cursorOf: (row: T) => Cursor): Page<T> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return rows.length > limit && last !== undefined ? { rows: kept, next: cursorOf(last) } : { rows: kept };
}

/** The cursor as an opaque text for URLs. */
export function writeCursor({ at, key }: Cursor): string {
  return Buffer.from(`${at.getTime()} ${key}`).toString('base64url');
}

/** Reads what writeCursor wrote; undefined when it is something else. */
export function readCursor(text: string): Cursor | undefined {
  const [, at, key] = /^(\d{1,15}) (\S+)$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  return at === undefined || key === undefined ? undefined : { at: new Date(Number(at)), key };
}
