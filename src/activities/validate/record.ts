// `sluice/validation.json` in the product: what was compared with the source, and how much of it.
import type { ProductPictures } from '../../contracts/workflow.js';

export interface ValidationRecord {
  readonly version: 1;
  /** Digest of the conversion record of the product that was compared. */
  readonly product: string;
  readonly at: string;
  /** Blocks (or files) compared with the source, and of how many. */
  readonly checked: number;
  readonly blocks: number;
  /** Path of the picture in the product, if there is one. */
  readonly preview: string | null;
  /** The other pictures. */
  readonly pictures?: ProductPictures;
  readonly details: Readonly<Record<string, unknown>>;
}

export const VALIDATION_RECORD = 'sluice/validation.json';
