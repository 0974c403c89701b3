// Where a product is published besides the directory of this server, and how far each of these places is.
import type { FailureCode } from './failure.js';

/** How a product stands at one target. */
export interface TargetRow {
  /** The operator's name for it. */
  readonly target: string;
  readonly status: 'pending' | 'done' | 'failed';
  /** Of the last change, ms since 1970. */
  readonly at: number;
  /** Where the product lies there, once it does. */
  readonly url: string | null;
  readonly code?: FailureCode;
  readonly say?: string;
}

/** `partial`: published, but a target lacks it. */
export const TARGETS_STATES = ['pending', 'complete', 'partial'] as const;
export type TargetsState = (typeof TARGETS_STATES)[number];

/** All targets of a dataset in one word; null: it has none. */
export function targetsState(rows: readonly TargetRow[]): TargetsState | null {
  if (rows.length === 0) return null;
  if (rows.some(({ status }) => status === 'pending')) return 'pending';
  return rows.some(({ status }) => status === 'failed') ? 'partial' : 'complete';
}

/** That it is published, and which targets lack it, and why. */
export function publishedWords(rows: readonly TargetRow[] | null | undefined): string {
  const all = rows ?? [];
  const failed = all.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return 'published';
  const names = failed.map(({ target, code }) => `${target} (${code})`).join(', ');
  return `published, but not at ${failed.length} of ${all.length} targets: ${names}`;
}
