// Values of options, refused by name with what they may be.
import { InvalidArgumentError } from 'commander';

export const choice =
  <T extends string>(known: readonly T[]) =>
  (text: string): T => {
    const found = known.find((word) => word === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It may be: ${known.join(', ')}.`);
  };

const MOST = 500;

export function limit(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST) return count;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST}.`);
}

const MOST_BYTES = 16 * 2 ** 20;

export function tailBytes(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_BYTES) return count;
  throw new InvalidArgumentError(`It must be a number of bytes from 1 to ${MOST_BYTES}.`);
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ...{ kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
};

/** A number of bytes, with a unit or without; `none` is no limit, `unset` takes a limit away (null). */
export function bytesLimit(text: string): number | null {
  if (text === 'none') return 0;
  if (text === 'unset') return null;
  const [, digits = '', unit = ''] = /^(\d{1,15})\s?([kKMGT]i?B)?$/.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (digits !== '' && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError('It must be a number of bytes (10MB, 64KiB), none or unset.');
}

/** A count; `none` is no limit, `unset` takes a limit away (null). */
export function countLimit(text: string): number | null {
  if (text === 'none') return 0;
  if (text === 'unset') return null;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number, none or unset.');
}
