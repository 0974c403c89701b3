// A product before it is published: where it lies, and the record of how it was made.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import type { Claim, FileEntry } from '../../contracts/claim.js';
import { Fault } from '../../domain/fault.js';

/** `sluice/conversion.json` in the product. */
export interface ConversionRecord {
  readonly version: 1;
  /** `idx`, `zarr`, or `files` when the files themselves are the product. */
  readonly kind: string;
  /** What a viewer opens, relative to the product; null when there is no single thing to open. */
  readonly entry: string | null;
  readonly proof: string | null;
  readonly program: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** The files it was made of. */
  readonly inputs: readonly FileEntry[];
  /** The program's own words: dims, dtype, range, metadata. */
  readonly result: Readonly<Record<string, unknown>>;
}

export const CONVERSION_RECORD = 'sluice/conversion.json';

/** Names a product by the digest of its record: a conversion that is made anew is another product. */
export const productName = (product: Claim): string => product.digest.slice(0, 32);

/** Where a product lies: in staging, or already among the published versions. */
export async function findProduct(roots: Roots, uuid: string, product: Claim): Promise<string | undefined> {
  const name = productName(product);
  for (const key of [product.key, `${keys.versions(uuid)}/${name}`]) {
    const path = pathOf(roots, 'out', key);
    if (await exists(join(path, CONVERSION_RECORD))) return path;
  }
  return undefined;
}

/**
 * What cannot be read of a product is damage only where there are products at all: a disk that is not mounted looks like
 * the loss of everything.
 * @throws Fault `store_missing`
 */
export async function requireStore(roots: Roots): Promise<void> {
  const path = pathOf(roots, 'out', keys.allVersions);
  if (await exists(path)) return;
  throw new Fault('store_missing', `There is no ${path}. Is the disk of the products mounted?`);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
