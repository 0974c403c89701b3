// Sets of byte ranges.

/** Bytes from `start` up to and without `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The same bytes as sorted ranges that neither touch nor overlap. */
export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (end <= start) continue;
    if (last === undefined || start > last.end) merged.push({ start, end });
    else last.end = Math.max(last.end, end);
  }
  return merged;
}

/** What is missing of the bytes 0..total. */
export function missingRanges(have: readonly Range[], total: number): Range[] {
  const gaps: Range[] = [];
  let at = 0;
  for (const { start, end } of mergeRanges(have)) {
    if (start > at) gaps.push({ start: at, end: Math.min(start, total) });
    at = Math.max(at, end);
  }
  if (at < total) gaps.push({ start: at, end: total });
  return gaps.filter(({ start, end }) => end > start);
}

/** How many bytes the ranges hold (overlaps count once). */
export function countBytes(ranges: readonly Range[]): number {
  return mergeRanges(ranges).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** The ranges in pieces of at most `size` bytes, in order. */
export function splitRanges(ranges: readonly Range[], size: number): Range[] {
  const pieces: Range[] = [];
  for (const { start, end } of ranges) {
    for (let at = start; at < end; at += size) pieces.push({ start: at, end: Math.min(at + size, end) });
  }
  return pieces;
}

/** The bytes that both hold, sorted. */
export function rangesInBoth(one: readonly Range[], other: readonly Range[]): Range[] {
  const both = mergeRanges(one).flatMap((a) =>
    other.map((b) => ({ start: Math.max(a.start, b.start), end: Math.min(a.end, b.end) })),
  );
  return mergeRanges(both);
}
