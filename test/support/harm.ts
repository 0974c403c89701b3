// Bit rot in a published product: one byte of each form of it, and what a proof must say of that.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { tree } from './data.js';

/** Of each form the last of its files that hold values, of the finest voxels where there are several. */
const HOLDS: Readonly<Record<string, RegExp>> = {
  idx: /\.bin$/,
  zarr: /^data\.zarr\/(?:[^/]+\/)?0\/c\/.*\d$/,
};

/** Flips a bit of a byte behind the middle of one file of each form. @returns their paths by form */
export function flipAByte(product: string, forms: readonly string[]): Record<string, string> {
  const files = tree(product);
  const harmed = forms.map(
    (form) => [form, files.findLast((path) => HOLDS[form]?.test(path)) ?? ''] as const,
  );
  for (const [, path] of harmed) {
    const content = readFileSync(join(product, path));
    const at = Math.floor(content.length * 0.75);
    content[at] = (content[at] ?? 0) ^ 0x10;
    writeFileSync(join(product, path), content);
  }
  return Object.fromEntries(harmed);
}

export interface Verified {
  readonly outcome: string;
  readonly damagedFiles: readonly object[];
  readonly proof: { readonly differences: readonly { readonly entry?: string }[] };
}

const box = Array.from({ length: 2 }, () => expect.arrayContaining([expect.any(Number)]));

/** The files are named, and of each form the field, the timestep and the box where its values are other ones. */
export function expectFound(
  { outcome, damagedFiles, proof }: Verified,
  harmed: Record<string, string>,
): void {
  expect(outcome).toBe('damaged');
  const wanted = Object.values(harmed).sort();
  expect(damagedFiles.map((file) => (file as { path: string }).path).sort()).toEqual(wanted);
  for (const form of Object.keys(harmed)) {
    const own = proof.differences.filter(
      ({ entry = '' }) => entry.startsWith('data.zarr') === (form === 'zarr'),
    );
    expect(own).toContainEqual(
      expect.objectContaining({ field: expect.any(String), timestep: expect.any(Number), box }),
    );
  }
}
